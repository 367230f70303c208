"""Says what is on a photo.

The predictor that ships. Behind the seam that the handler knows (`serving/contract.py`) are `predict` and `setup`, and
what a predictor may have beside them:

- `InvalidOptionError`: what `predict` raises for what it cannot follow; its text goes to the caller with status 400.
  (A `ValueError` of the project's own does the same.)
- `about()`: a mapping with `model` (a name) and `image_size` ((width, height) in pixels that the model looks at, from
  which the handler knows how coarsely a large JPEG may be decoded).
- `measured()`: a mapping of what the last successful `predict` has to say for the function's log, by field; a name that
  ends in `_ms` holds milliseconds, and its caller sees it, too, as a `Server-Timing`.
- `warm()`: a first use of the model, where `examples/` holds none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal, NotRequired, TypedDict, cast

# OpenBLAS makes a pool as it is loaded, and nothing here multiplies with numpy. Has to come before numpy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

from PIL import Image

from captioner.bundle import Bundle, BundleError
from captioner.caption import Captioner

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BundleError", "about", "measured", "predict", "setup", "warm"]

Beam = Literal[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
"""3 as published. A choice, since marks of bounds are a library's, which takes time to import."""

_loaded: Captioner | None = None


class Candidate(TypedDict):
    """One of the captions that the search saw end."""

    caption: str
    words: list[str]
    log_probability: float


class Caption(TypedDict):
    """An answer. `attention` is a grid a word, rows × columns of shares that sum to about 1, over the whole picture."""

    caption: str
    words: list[str]
    log_probability: float
    model: str
    attention: NotRequired[list[list[list[float]]]]
    candidates: NotRequired[list[Candidate]]


def setup(folder: Path | None = None) -> None:
    """Loads the bundle in `folder`, else in `$MODEL_DIR`, else in `model/` or `demo/bundle/` beside the
    handler.

    Raises `BundleError`. A second call with the same folder does nothing.
    """
    global _loaded
    folder = (folder or default_folder(os.environ)).resolve()
    if _loaded is None or _loaded.bundle.folder != folder:
        _loaded = Captioner(Bundle.load(folder))


def default_folder(environ: Mapping[str, str]) -> Path:
    """Where the bundle lies when nobody says it."""
    if environ.get("MODEL_DIR"):
        return Path(environ["MODEL_DIR"])
    beside_handler = Path(__file__).resolve().parent.parent
    model = beside_handler / "model"
    return model if model.is_dir() else beside_handler / "demo" / "bundle"


def about() -> dict[str, object]:
    """The model's name, and the size of picture that it looks at."""
    bundle = _captioner().bundle
    return {"model": bundle.name, "image_size": (bundle.width, bundle.height)}


def warm() -> None:
    """A caption of nothing."""
    predict(Image.new("RGB", (64, 64)))


def predict(
    image: Image.Image,
    beam: Annotated[Beam, "how many captions the search follows"] = 3,
    attention: Annotated[bool, "say for each word where the model looked"] = False,
    candidates: Annotated[bool, "say which other captions the search came upon"] = False,
) -> Caption:
    """Says in a sentence what is on a photo.

    `attention` and `candidates` change neither the caption nor its log-probability, and take some steps of the decoder
    more. The candidates come likeliest first, which is the caption itself.
    """
    return cast("Caption", _captioner().caption(image, beam=beam, attention=attention, others=candidates))


def measured() -> dict[str, object]:
    """Of the last caption: `encode_ms` (from pixels to features), `beam_ms`, and its number of `words`."""
    return dict(_captioner().measured)


def _captioner() -> Captioner:
    if _loaded is None:
        raise RuntimeError("captioner.setup() has not been called")
    return _loaded
