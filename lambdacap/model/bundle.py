"""What a bundle says of itself. The whole check is the handler's; here it is read for a person."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdacap.errors import ModelError

MANIFEST = "model.json"
FORMAT = 1


@dataclass(frozen=True)
class Bundle:
    """A folder that the handler can load; `manifest` is its `model.json`, `files` maps names to bytes."""

    folder: Path
    manifest: dict[str, Any]
    files: dict[str, int]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())

    def data(self) -> dict[str, Any]:
        """For --json."""
        return {"folder": str(self.folder), "bytes": self.size, "files": self.files, **self.manifest}


def is_bundle(folder: Path) -> bool:
    """Whether `folder` holds a `model.json`."""
    return (folder / MANIFEST).is_file()


def inspect(folder: Path) -> Bundle:
    """Read the bundle in `folder`. Raises `ModelError` when it is none."""
    if not is_bundle(folder):
        hint = "`lambdacap model convert` makes one of a model.pickle."
        raise ModelError(f"{folder} holds no model bundle (a folder with {MANIFEST})", hint=hint)
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{folder / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(f"{folder / MANIFEST} is not of format {FORMAT}", hint="Convert the model again.")
    try:
        _check(manifest)
    except (LookupError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelError(
            f"{folder / MANIFEST} is not as a bundle has it: {type(error).__name__} {error}",
            hint="Convert the model again.",
        ) from error
    files = {file.name: file.stat().st_size for file in sorted(folder.iterdir()) if file.is_file()}
    return Bundle(folder, manifest, files)


def summary(manifest: dict[str, Any]) -> dict[str, str]:
    """What a bundle is, line by line: what a line is of → its words, which are empty where nothing is said."""
    source, image = manifest.get("source"), manifest["image"]
    return {
        "model": str(manifest["name"]),
        "description": str(manifest.get("description", "")),
        "runtime": str(manifest.get("runtime", "onnx")) + (", int8" if manifest.get("quantization") else ", float32"),
        "picture": f"{image['width']} × {image['height']} pixels",
        "source": _source(source) if source else "",
        "sizes": ", ".join(f"{name} {size}" for name, size in manifest.get("sizes", {}).items()),
    }


def _source(source: dict[str, Any]) -> str:
    """The published file that it was converted from, or what else made it."""
    size = f", {source['bytes'] / 1e6:.1f} MB" if "bytes" in source else ""
    digest = f", SHA-256 {source['sha256']}" if "sha256" in source else ""
    named = source.get("file") or ", ".join(f"{key} {value}" for key, value in source.items())
    return f"{named}{size}{digest}"


def parity_sentence(manifest: dict[str, Any]) -> str:
    """The parity report in a sentence, or an empty one when there is none."""
    parity = manifest.get("parity")
    if not isinstance(parity, dict):
        return ""
    # The demo's was compared on scenes, and tells the largest difference alone.
    pictures = parity["pictures"] if "pictures" in parity else parity["scenes"]
    if "log_probability_difference" in parity:
        difference = f"{parity['log_probability_difference']['mean']:.2g} on average"
    else:
        difference = f"{parity['log_probability']:.2g} at most"
    return (
        f"{parity['equal_captions']} of {pictures} captions ({parity['equal_captions'] / pictures:.0%}) are word for "
        f"word those of the PyTorch reference; log-probabilities differ by {difference}"
    )


def _check(manifest: dict[str, Any]) -> None:
    """Raise `LookupError`, `TypeError`, … where what is shown of a manifest could not be told."""
    if not isinstance(manifest["name"], str):
        raise TypeError("the name is no text")
    for part in ("image", "source", "sizes"):
        if not isinstance(manifest.get(part, {}), dict):
            raise TypeError(f"{part} is no object")
    summary(manifest)
    parity_sentence(manifest)
