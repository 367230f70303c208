"""Starts the converter, which stands beside the handler, in a process of its own.

It runs there as it would inside `docker build`, and the memory that it takes (torch, and the weights several times)
is gone with it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdacap import children
from lambdacap.aws.hints import install_extra
from lambdacap.errors import ModelError
from lambdacap.events import Finished, Progress, Report, Started
from lambdacap.settings import default_image

KIND = "model"
LIMIT = 65 * 60.0
"""Seconds: after an hour the converter ends itself, if it can."""
NEEDED = ("torch", "torchvision", "onnx", "onnxruntime", "numpy", "PIL", "safetensors")


@dataclass(frozen=True)
class Conversion:
    """What kind of bundle is wanted: the options of `python -m convert`, by their names."""

    runtime: str = "onnx"
    quantize: str | None = None
    calibration: Path | None = None
    pictures: Path | None = None
    name: str | None = None

    def arguments(self) -> list[str]:
        given = {
            "--runtime": self.runtime,
            "--quantize": self.quantize,
            "--calibration": self.calibration,
            "--pictures": self.pictures,
            "--name": self.name,
        }
        return [f"{option}={value}" for option, value in given.items() if value is not None]


def convert(file: Path, folder: Path, conversion: Conversion, report: Report) -> dict[str, Any]:
    """Convert the model file into a bundle in `folder`; returns its `model.json`. Raises `ModelError`."""
    check_extra()
    report(Started(KIND, f"converting {file.name}"))
    command = children.python("convert", f"--output={folder}", "--json", *conversion.arguments(), "--", file)
    environment = children.environment(os.environ, [default_image()])
    last: dict[str, Any] = {}
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process,
        _bounded(process) as late,
    ):
        assert process.stdout is not None  # noqa: S101 - asked for
        for line in process.stdout:
            last = _told(line) or last
            if "progress" in last:
                count = f" {last['done']} of {last['total']}" if last["total"] else ""
                report(Progress(KIND, f"{last['progress']}{count}"))
        status = process.wait()
        errors.seek(0)
        complaint = errors.read().strip()
    if late.is_set():
        raise ModelError(
            f"the converter was ended after {LIMIT / 60:.0f} minutes",
            hint="The published weights take one or two; the disk, or what else runs here, may be slow.",
        )
    if "error" in last:
        raise ModelError(last["error"], hint=last["hint"])
    if status or "bundle" not in last:
        reason = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        raise ModelError(
            f"the converter {reason}\n{complaint[-2000:]}".rstrip(),
            hint="If it was ended by signal 9, memory was short: it needs about 2 GB."
            if status == -9
            else "Please report it.",
        )
    report(Finished(KIND, "created", str(folder)))
    manifest: dict[str, Any] = last["model"]
    return manifest


@contextmanager
def _bounded(process: subprocess.Popen[str]) -> Iterator[threading.Event]:
    """Ends it after `LIMIT`, which the event tells, and when the block fails: leaving that would wait for its end."""
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(LIMIT, end)
    timer.start()
    try:
        yield late
    except BaseException:
        process.kill()
        raise
    finally:
        timer.cancel()
        timer.join()


def _told(line: str) -> dict[str, Any] | None:
    """What a line of the converter says; None for a library's, which may print what it likes."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def convert_once(file: Path, cache: Path, conversion: Conversion, report: Report) -> Path:
    """The bundle of `file`, converted unless the cache has it from the same file by the same converter."""
    if not file.is_file():
        raise ModelError(f"{file} is not a file", hint="`lambdacap model fetch` downloads the published weights.")
    folder = bundle_folder(file, cache, conversion)
    if (folder / "model.json").is_file():
        report(Started(KIND, f"bundle of {file.name}"))
        report(Finished(KIND, "kept", str(folder)))
    else:
        convert(file, folder, conversion, report)
    return folder


def bundle_folder(file: Path, cache: Path, conversion: Conversion) -> Path:
    """Where the cache keeps the bundle of `file`: by hashes of the file, the options and the converter."""
    with file.open("rb") as stream:
        source = hashlib.file_digest(stream, "sha256").hexdigest()
    made = hashlib.sha256(json.dumps(conversion.arguments()).encode())
    for code in sorted((default_image() / "convert").glob("*.py")):
        made.update(code.read_bytes())
    return cache / "bundles" / f"{source[:16]}-{made.hexdigest()[:8]}"


def check_extra() -> None:
    """Raise `ModelError` with what to install, when something that the converter needs is missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f"converting a model needs what is not installed: {', '.join(missing)}",
            hint=install_extra("model") + " It takes about 1 GB; the function's image gets none of it.",
        )
