"""New projects: small ones that run at once, each with an example and a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lambdacap.errors import ProjectError
from lambdacap.settings.places import PREDICTOR
from lambdacap.storage import writing

FOLDER = Path(__file__).with_name("templates")
TEMPLATES: Mapping[str, str] = {
    "picture": "a picture in, values out",
    "sound": "sound in, values out",
    "text": "text in, values out",
    "file": "any file in, values out",
    "record": "values in, values out",
    "pytorch": "a PyTorch model, a picture in and out",
    "onnx": "an ONNX model, any file in, values out",
    "captioner": "the captioner that comes with lambdacap",
}
"""Name → what it shows."""


def write(name: str, folder: Path) -> list[Path]:
    """Write the template into `folder`, which is made if need be. Returns the files by their paths in it.

    Raises `ProjectError` where one is there already, and writes nothing then.
    """
    content = {path: (FOLDER / name / path).read_bytes() for path in _paths(FOLDER / name)}
    taken = [
        path for path in {Path(PREDICTOR): None, **content} if (folder / path).is_symlink() or (folder / path).exists()
    ]
    if taken:
        raise ProjectError(
            f"{folder} has {', '.join(map(str, taken))} already, and nothing is overwritten",
            hint="Name another folder: `lambdacap init DIR`.",
        )
    made: list[Path] = []
    try:
        for path, data in content.items():
            place = folder / path
            with writing(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as file:
                    made.append(place)
                    file.write(data)
    except BaseException:
        for place in made:
            place.unlink(missing_ok=True)
        raise
    return list(content)


def _paths(template: Path) -> list[Path]:
    """Its files, the predictor first."""
    files = (path.relative_to(template) for path in template.rglob("*") if path.is_file())
    kept = (path for path in files if not {"__pycache__", ".pytest_cache"} & set(path.parts))
    return sorted(kept, key=lambda path: (path.name != PREDICTOR, path))
