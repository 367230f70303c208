"""Every command in every surrounding that a machine can be: `python -m tests.cli.surroundings` prints the table.

Each ends in a sentence and with its exit code, whatever is broken around it: never in a traceback, never as a defect
of lambdacap, and without a half-written file.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path

from tests.command import LAMBDACAP, NO_ENGINE

COMMANDS = {
    "deploy": ["deploy", "--region", "eu-central-1"],
    "deploy --local": ["deploy", "--local", "--no-docker", "--dry-run"],
    "build": ["build", "--weights", "demo"],
    "push": ["push", "--region", "eu-central-1"],
    "create-function": ["create-function"],
    "create-api": ["create-api"],
    "invoke": ["invoke", "photo.png"],
    "open": ["open"],
    "key": ["key"],
    "list": ["list"],
    "status": ["status", "--region", "eu-central-1"],
    "status --local": ["status", "--local"],
    "logs": ["logs"],
    "bench": ["bench"],
    "config": ["config"],
    "config --local": ["config", "--local"],
    "doctor --local": ["doctor", "--local", "--no-docker"],
    "policy": ["policy", "--region", "eu-central-1"],
    "rollback": ["rollback"],
    "teardown": ["teardown", "--region", "eu-central-1", "--yes"],
    "teardown --local": ["teardown", "--local"],
    "local stop": ["local", "stop"],
    "local status": ["local", "status"],
    "model inspect": ["model", "inspect", "."],
    "model fetch": ["model", "fetch", "--url", "ftp://127.0.0.1/model.pickle"],
    "demo": ["demo", "scene.png"],
    "--help": ["--help"],
    "--version": ["--version"],
    "no such": ["invoke", "--no-such"],
}


@dataclass(frozen=True)
class Surrounding:
    """How it differs from a clean one: variables, files by their path in the folder, and what is done in the child.

    In `environ` and files `{folder}` is the command's own folder. `ends` are the exit codes that are right.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    stdout: str | None = None
    ends: frozenset[int] = frozenset({0, 1, 2})
    like_clean: bool = False
    """Local commands do as in a clean surrounding."""


def _closed(*numbers: int) -> Callable[[], None]:
    def close() -> None:
        for number in numbers:
            os.close(number)

    return close


def _gone() -> None:
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)  # noqa: PTH106


def _broken_pipe() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 1)


def _config(text: str, **environ: str) -> Surrounding:
    return Surrounding(
        environ={"AWS_CONFIG_FILE": "{folder}/aws-config", **environ},
        files={"aws-config": text.encode()},
        like_clean=True,
    )


def _process(line: str) -> Surrounding:
    return _config(f"[default]\ncredential_process = {line}\n")


_SSO = """[default]
sso_session = work
sso_account_id = 123456789012
sso_role_name = dev
[sso-session work]
sso_region = eu-central-1
sso_start_url = https://example.awsapps.com/start
sso_registration_scopes = sso:account:access
"""
_SSO_CACHE = f".aws/sso/cache/{sha1(b'work').hexdigest()}.json"  # noqa: S324 - botocore's name for it
_ASSUME = "[default]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n"
_BASE = "[profile base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n"
BOM = "\ufeff"

SURROUNDINGS = {
    "clean": Surrounding(),
    "full disk": Surrounding(before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))),
    "no more open files": Surrounding(before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))),
    "home cannot be made": Surrounding(environ={"LAMBDACAP_HOME": "/sys/lambdacap"}),
    "home in /proc": Surrounding(environ={"LAMBDACAP_HOME": "/proc/lambdacap"}),
    "home is a file": Surrounding(environ={"LAMBDACAP_HOME": "{folder}/home-file"}, files={"home-file": b"x"}),
    "home below a file": Surrounding(environ={"LAMBDACAP_HOME": "{folder}/home-file/x"}, files={"home-file": b"x"}),
    "home leads nowhere": Surrounding(environ={"LAMBDACAP_HOME": "{folder}/link"}, links={"link": "nowhere/at/all"}),
    "home leads to itself": Surrounding(environ={"LAMBDACAP_HOME": "{folder}/link"}, links={"link": "link"}),
    "home's name is too long": Surrounding(environ={"LAMBDACAP_HOME": "/tmp/" + 300 * "x"}),  # noqa: S108
    "home of nobody": Surrounding(environ={"LAMBDACAP_HOME": "~nobody-at-all/x"}),
    "records are a file": Surrounding(files={"home/deployments": b"x"}),
    "record is a folder": Surrounding(files={"home/deployments/aws/1/eu-central-1/lambdacap.json/x": b"x"}),
    "record is not text": Surrounding(files={"home/deployments/aws/1/eu-central-1/lambdacap.json": b"\xff\xfe{"}),
    "no HOME": Surrounding(environ={"HOME": "", "LAMBDACAP_HOME": ""}),
    "HOME does not exist": Surrounding(environ={"HOME": "/proc/nowhere", "LAMBDACAP_HOME": ""}),
    "current folder is gone": Surrounding(before=_gone),
    "toml with a BOM": Surrounding(files={"lambdacap.toml": (BOM + "memory = 2048\n").encode()}, like_clean=True),
    "toml in UTF-16": Surrounding(files={"lambdacap.toml": "memory = 2048\n".encode("utf-16")}),
    "toml of bytes": Surrounding(files={"lambdacap.toml": bytes(range(256))}),
    "toml is a folder": Surrounding(files={"lambdacap.toml/x": b""}),
    "toml leads to itself": Surrounding(links={"lambdacap.toml": "lambdacap.toml"}),
    "toml below unreadable": Surrounding(links={"lambdacap.toml": "/proc/1/mem"}),
    "toml with a wrong type": Surrounding(files={"lambdacap.toml": b"memory = [1, {a = true}]\n"}),
    "stdout is full": Surrounding(stdout="/dev/full"),
    "stdout is closed": Surrounding(before=_closed(1)),
    "stderr is closed": Surrounding(before=_closed(2)),
    "stdin is closed": Surrounding(before=_closed(0), like_clean=True),
    "all are closed": Surrounding(before=_closed(0, 1, 2)),
    "nobody reads": Surrounding(before=_broken_pipe, ends=frozenset({0, 1, 2, 141})),
    "ASCII": Surrounding(environ={"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}, like_clean=True),
    "Latin-1": Surrounding(environ={"PYTHONIOENCODING": "latin-1"}, like_clean=True),
    "no locale": Surrounding(environ={"LC_ALL": "xx_XX.nowhere"}, like_clean=True),
    "dumb terminal": Surrounding(environ={"TERM": "dumb", "COLUMNS": "1"}, like_clean=True),
    "columns are no number": Surrounding(environ={"COLUMNS": "wide", "LINES": "-3"}, like_clean=True),
    "AWS config is none": _config("garbage\n"),
    "AWS config with a BOM": _config(f"{BOM}[default]\nregion = eu-central-1\n"),
    "AWS config is a folder": Surrounding(
        environ={"AWS_CONFIG_FILE": "{folder}/aws"}, files={"aws/x": b""}, like_clean=True
    ),
    "AWS credentials are none": Surrounding(
        environ={"AWS_SHARED_CREDENTIALS_FILE": "{folder}/c"}, files={"c": b"\xff\x00garbage"}, like_clean=True
    ),
    "AWS profile is unknown": Surrounding(environ={"AWS_PROFILE": "nobody"}, like_clean=True),
    "AWS profiles go in circles": _config(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = a\n"
        "[profile a]\nrole_arn = arn:aws:iam::123456789012:role/y\nsource_profile = b\n"
        "[profile b]\nrole_arn = arn:aws:iam::123456789012:role/z\nsource_profile = a\n"
    ),
    "AWS source profile is unknown": _config(_ASSUME),
    "AWS credential source is unknown": _config(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/x\ncredential_source = Moon\n"
    ),
    "AWS keys are half": Surrounding(environ={"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, like_clean=True),
    "AWS process is missing": _process("/nowhere/at/all"),
    "AWS process says nothing": _process("true"),
    "AWS process says no JSON": _process("echo hello"),
    "AWS process says a list": _process("echo []"),
    "AWS process says null": _process("echo null"),
    "AWS process of another version": _process('echo {"Version": 2}'),
    "AWS process lacks keys": _process('echo {"Version":1}'),
    "AWS process expires at no time": _process(
        """echo '{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": "never"}'"""
    ),
    "AWS process fails": _process("false"),
    "AWS process is misquoted": _process("sh -c 'echo"),
    "AWS process is no program": _process("{folder}/aws-config"),
    "AWS web identity without its token": Surrounding(
        environ={
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}/no-token",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        },
        like_clean=True,
    ),
    "AWS container of a stranger": Surrounding(
        environ={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/creds"}, like_clean=True
    ),
    "AWS container that is away": Surrounding(
        environ={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/creds"}, like_clean=True
    ),
    "AWS container without its token": Surrounding(
        environ={
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/creds",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{folder}/no-token",
        },
        like_clean=True,
    ),
    "AWS SSO without a session": _config(_SSO),
    "AWS SSO's cache cut short": Surrounding(
        environ={"AWS_CONFIG_FILE": "{folder}/aws-config"},
        files={"aws-config": _SSO.encode(), _SSO_CACHE: b'{"startUrl": "https://exa'},
        like_clean=True,
    ),
    "AWS SSO half configured": _config("[default]\nsso_account_id = 1\nsso_role_name = x\n"),
    "AWS login": _config("[default]\nlogin_session = arn:aws:iam::123456789012:user/x\nregion = eu-central-1\n"),
    "AWS wants MFA": _config(_ASSUME + "mfa_serial = arn:aws:iam::123456789012:mfa/x\n" + _BASE),
    "AWS attempts are no number": Surrounding(environ={"AWS_MAX_ATTEMPTS": "many"}, like_clean=True),
    "AWS retry mode is unknown": Surrounding(environ={"AWS_RETRY_MODE": "often"}, like_clean=True),
    "AWS defaults mode is unknown": Surrounding(environ={"AWS_DEFAULTS_MODE": "x"}, like_clean=True),
    "AWS endpoint is none": Surrounding(
        environ={"AWS_ENDPOINT_URL": "nonsense", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
        like_clean=True,
    ),
    "AWS certificates are away": Surrounding(
        environ={"AWS_CA_BUNDLE": "/nowhere.pem", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
        like_clean=True,
    ),
    "AWS is away": Surrounding(
        environ={
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_MAX_ATTEMPTS": "1",
        },
        like_clean=True,
    ),
    "AWS STS setting is unknown": Surrounding(
        environ={"AWS_STS_REGIONAL_ENDPOINTS": "x", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
        like_clean=True,
    ),
}


@dataclass(frozen=True)
class End:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str
    left: tuple[str, ...]
    """Drafts that it left behind."""

    @property
    def first(self) -> str:
        return next(iter((self.stderr or self.stdout).splitlines()), "")


def run(surrounding: Surrounding, arguments: list[str], folder: Path) -> End:
    """Run a command in `folder`, which is empty."""
    picture = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
        "0000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
    )
    for name, content in {"photo.png": picture, **surrounding.files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.replace(b"{folder}", bytes(folder)))
    for name, target in surrounding.links.items():
        (folder / name).symlink_to(target)
    environ = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "LAMBDACAP_HOME": str(folder / "home"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "DOCKER_HOST": NO_ENGINE,
        "PYTHONDONTWRITEBYTECODE": "1",
        **{name: value.replace("{folder}", str(folder)) for name, value in surrounding.environ.items()},
    }
    with open(surrounding.stdout or os.devnull, "wb") as out:  # noqa: PTH123
        done = subprocess.run(
            [LAMBDACAP, *arguments],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out if surrounding.stdout else subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=surrounding.before,
            timeout=100,
        )
    left = tuple(str(path.relative_to(folder)) for path in folder.rglob("*.tmp"))
    stdout, stderr = ((stream or b"").decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    return End(done.returncode, stdout, stderr, left)


def complaints(surrounding: Surrounding, end: End, *, as_json: bool = False) -> list[str]:
    """What is not as it should be."""
    found = [f"says {word!r}" for word in ("defect", "Traceback", "Exception ignored") if word in end.stderr]
    if end.code not in surrounding.ends:
        found.append(f"exit code {end.code}")
    if end.left:
        found.append(f"leaves {end.left}")
    told = end.stderr.splitlines()
    closed = not told and surrounding.before is not SURROUNDINGS["clean"].before
    if end.code in (1, 2) and not closed:
        if as_json:
            try:
                error = json.loads(told[-1])["error"]
                if not error["message"]:
                    found.append("no message")
            except (ValueError, KeyError, IndexError):
                found.append("no JSON at the end of stderr")
        elif not any(line.startswith("error: ") for line in told) and not end.stdout.startswith("Usage"):
            found.append("no sentence")
    return found


FEW = {
    "AWS": ("deploy", "status", "config", "config --local"),
    "toml": ("deploy --local", "config", "list"),
    "home": ("deploy", "deploy --local", "invoke", "list", "teardown --local"),
    "": ("config", "list", "status --local", "demo", "no such", "--version"),
}
"""What a title begins with → the commands that differ there: enough for every day. The others take an hour."""


def few(title: str) -> tuple[str, ...]:
    """The commands to try in a surrounding, when it is not all."""
    return next(names for start, names in FEW.items() if title.startswith(start))


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--all"]
    bad = 0
    for title in [title for title in SURROUNDINGS if not words or any(word in title for word in words)]:
        surrounding = SURROUNDINGS[title]
        for name in COMMANDS if "--all" in sys.argv else few(title):
            with tempfile.TemporaryDirectory() as folder:
                end = run(surrounding, COMMANDS[name], Path(folder))
            wrong = complaints(surrounding, end)
            bad += bool(wrong)
            print(f"{title:34} {name:16} {end.code:3} {'  '.join(wrong)} {end.first[:110]}", flush=True)
    print(f"{bad} are wrong")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
