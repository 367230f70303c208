"""An image captioner behind the seam that the handler knows.

A predictor is a module beside `handler.py`, named by the variable `PREDICTOR`. To serve another model, write
another:

- `setup(folder=None)`: loads the model. The handler calls it once, in Lambda's init phase.
- `predict(image, options)`: answers for one picture, a `PIL.Image` that the handler has already turned
  upright and made RGB; options are the request's query parameters, text as it came. The answer must be fit
  for `json.dumps`.
- `InvalidOptionError` (optional): what `predict` raises for options that it cannot follow; its text goes to
  the caller with status 400. Every other exception is a bug: status 500, and the stack trace goes to the log.
- `about()` (optional): a mapping with `model` (a name) and `image_size` ((width, height) in pixels that the
  model looks at, from which the handler knows how coarsely a large JPEG may be decoded).
- `measured()` (optional): a mapping of what the last successful `predict` has to say for the function's log, by
  field; a name that ends in `_ms` holds milliseconds, and its caller sees it, too, as a `Server-Timing`.
"""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn

# OpenBLAS makes a pool as it is loaded, and nothing here multiplies with numpy. Has to come before numpy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

from captioner.bundle import Bundle, BundleError
from captioner.caption import Captioner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

__all__ = ["BundleError", "InvalidOptionError", "about", "measured", "predict", "setup"]

DEFAULT_BEAM = 3  # as published
MAX_BEAM = 10

_loaded: Captioner | None = None


class InvalidOptionError(ValueError):
    """An option that the captioner cannot follow; the text says which and what would do."""


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


def predict(image: Image.Image, options: Mapping[str, str] = MappingProxyType({})) -> dict[str, object]:
    """Says what is on the picture.

    Options: `beam`, 1 to 10 (3 as published); `attention`, "1" for one grid a word, rows × columns of shares
    of attention that sum to about 1, laid over the whole picture; `candidates`, "1" for all captions that the
    search saw end. Others are not looked at. Raises `InvalidOptionError`.

    Returns `{"caption": "a dog …", "words": ["a", "dog", …], "log_probability": -7.1, "model": "…"}`, and
    when they were asked for `"attention": [[[0.01, …], …], …]` and `"candidates": [{"caption": …, "words": …,
    "log_probability": …}, …]`, the likeliest first, which is the caption itself. They change neither the
    caption nor its log-probability, and take some steps of the decoder more.
    """
    beam = _beam(options.get("beam", str(DEFAULT_BEAM)))
    attention = _flag("attention", options.get("attention", "0"))
    others = _flag("candidates", options.get("candidates", "0"))
    return _captioner().caption(image, beam=beam, attention=attention, others=others)


def measured() -> dict[str, object]:
    """Of the last caption: `encode_ms` (from pixels to features), `beam_ms`, and its number of `words`."""
    return dict(_captioner().measured)


def _captioner() -> Captioner:
    if _loaded is None:
        raise RuntimeError("captioner.setup() has not been called")
    return _loaded


def _beam(text: str) -> int:
    # Not int(): it takes " 3", "+3", "3_0" and digits of other scripts, and who sends these means something
    # else.
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and 1 <= int(text) <= MAX_BEAM):
        _refuse("beam", text, f"a whole number from 1 to {MAX_BEAM}")
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text not in ("0", "1"):
        _refuse(name, text, "0 or 1")
    return text == "1"


def _refuse(name: str, text: str, expected: str) -> NoReturn:
    raise InvalidOptionError(f"{name} must be {expected}, not {text[:40]!r}")
