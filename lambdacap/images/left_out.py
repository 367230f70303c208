"""What never goes into an image, whatever `.dockerignore` says: images are handed on, and layers forget nothing."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

HIDDEN = (
    *(".env*", ".git", ".hg", ".svn", ".aws", ".ssh", ".gnupg", ".docker", ".kube", ".azure", ".gcloud", ".terraform"),
    *(".netrc", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".htpasswd", ".dockercfg", ".boto", ".s3cfg"),
    *(".git-credentials", ".vault-token", ".*_history"),
)
"""Names of files and folders with keys, passwords and tokens, or with all that ever was in a repository."""
SECRETS = (
    *("*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.gpg"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*_rsa", "*_ed25519", "_netrc"),
    *("credentials", "*credentials*.json", "*credentials*.csv", "credentials.ini", "credentials.toml"),
    *("credentials.y*ml", "secrets.json", "secrets.toml", "secrets.y*ml", "*accesskeys*.csv", "rootkey*.csv"),
    *("client_secret*.json", "service-account*.json", "service_account*.json", "*.tfstate*", "*.tfvars"),
)
"""Names of files alone with those."""


def reason(folder: Path, path: str) -> str:
    """Why the file at `path` in `folder` is left out, or nothing when it is not.

    A link is followed inside of the folder only: what it leads to elsewhere is not what its author meant to show.
    """
    root = folder.resolve()
    try:
        real = (folder / path).resolve()
    except RuntimeError:
        return "it is a link to itself"
    if not real.is_relative_to(root):
        return "it is a link that leads out of the folder"
    for spelled in (path, str(real.relative_to(root))):
        parts = Path(spelled.lower()).parts
        if _named(parts, HIDDEN) or _named(parts[-1:], SECRETS):
            return "its name is that of keys, passwords or a history"
    return ""


def sentence(folder: Path, found: dict[str, str]) -> str:
    """The files of `folder` that are left out and why, in a line; empty when there are none."""
    if not found:
        return ""
    some = list(found.items())[:5]
    words = "; ".join(f"{path} ({why})" for path, why in some)
    more = f" and {len(found) - len(some)} more" if len(found) > len(some) else ""
    return f"left out of the image, from {folder}: {words}{more}"


def _named(parts: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return any(fnmatchcase(part, name) for part in parts for name in names)
