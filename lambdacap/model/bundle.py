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
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(f"{folder / MANIFEST} is not of format {FORMAT}", hint="Convert the model again.")
    files = {file.name: file.stat().st_size for file in sorted(folder.iterdir()) if file.is_file()}
    return Bundle(folder, manifest, files)


def parity_sentence(manifest: dict[str, Any]) -> str:
    """The parity report in a sentence, or an empty one when there is none."""
    parity = manifest.get("parity")
    if not isinstance(parity, dict):
        return ""
    differences = parity["log_probability_difference"]
    share = parity["equal_captions"] / parity["pictures"]
    return (
        f"{parity['equal_captions']} of {parity['pictures']} captions ({share:.0%}) are word for word those of the "
        f"PyTorch reference; log-probabilities differ by {differences['mean']:.2g} on average"
    )
