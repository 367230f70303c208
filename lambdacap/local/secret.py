"""The secret of a local cloud: it tells the user from whoever else is on this machine or in a browser on it."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from lambdacap.errors import LocalCloudError

REGISTRY_USER = "AWS"
"""The user name that ECR wants."""


def private(folder: Path) -> None:
    """Make `folder`, and what leads to it, for the user's eyes only; one that is there is closed to others."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)


def make(home: Path) -> str:
    """The secret of the local cloud of `home`: the one that is there, or a new one of 256 random bits."""
    private(home / "local")
    with contextlib.suppress(FileExistsError):
        file = os.open(_file(home), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32))
    return read(home)


def read(home: Path) -> str:
    """Raises `LocalCloudError` where there is none, or one that others may have read."""
    file = _file(home)
    try:
        state, text = file.stat(), file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LocalCloudError(f"{file} cannot be read: {error}", hint=_ANEW) from error
    if state.st_uid != os.geteuid() or state.st_mode & 0o077 or len(text) < 64:
        raise LocalCloudError(f"{file} is no secret: others may read or have written it", hint=_ANEW)
    return text


def registry_password(secret: str) -> str:
    """What opens the registry alone: the engine gets it, and so does who may call ecr:GetAuthorizationToken."""
    return derived(secret, "registry")


def derived(secret: str, purpose: str) -> str:
    """64 hexadecimal digits for one purpose, from which nobody learns the secret."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two texts are equal; the time that it takes tells nothing of where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


_ANEW = "Stop the local cloud, delete that file, and start it again: `lambdacap local start`."


def _file(home: Path) -> Path:
    return home / "local" / "secret"
