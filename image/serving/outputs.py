"""What `predict` returned → the answer: JSON, or a picture, sound or file as it is."""

from __future__ import annotations

import inspect
import json
import math
import mimetypes
from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from serving.gateway import HttpError, Response

if TYPE_CHECKING:
    pass

LIMIT = 6_291_556
"""Bytes of an answer, base64 included (Lambda's quota for synchronous invocation)."""
_LONG = LIMIT // 6
"""Characters that fit however they are escaped."""
PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}


class AnswerError(TypeError):
    """An answer that cannot be written: the predictor's fault. The text says where in it, and why."""


def response(value: object, accept: str, *, sound: bool = False) -> Response:
    """The answer for a caller who accepts `accept`; `sound`: a pair of samples and rate is sound.

    Raises `AnswerError`, or `HttpError` for an answer that is too large for Lambda.
    """
    if inspect.isgenerator(value) or isinstance(value, Iterator):
        value = list(value)
    if _is_picture(value):
        media_type = preferred(accept, tuple(PICTURES))
        made = Response(200, _encoded(value, PICTURES[media_type]), {"Content-Type": media_type, "Vary": "Accept"})
    elif isinstance(value, Path):
        media_type = mimetypes.guess_type(value.name)[0] or "application/octet-stream"
        made = Response(200, _bytes(value), {"Content-Type": media_type})
    elif isinstance(value, bytes | bytearray | memoryview):
        made = Response(200, bytes(value), {"Content-Type": "application/octet-stream"})
    elif sound and isinstance(value, tuple):
        made = Response(200, _wav(*value), {"Content-Type": "audio/wav"})
    elif isinstance(value, str) and preferred(accept, ("application/json", "text/plain")) == "text/plain":
        made = Response(200, str(value), {"Content-Type": "text/plain; charset=utf-8", "Vary": "Accept"})
    else:
        made = Response(200, written(value), {"Content-Type": "application/json"})
    _check_size(made)
    return made


def written(value: object) -> str:
    """A value as JSON. Raises `AnswerError` for what JSON has no word for: NaN, infinity, foreign objects."""
    try:
        plain = msgspec.to_builtins(value, enc_hook=_plain, str_keys=True)
        return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))
    except ValueError as error:  # NaN or infinity; a circle is a RecursionError before
        where = next(_infinite(plain, ""), None)
        raise AnswerError(
            f"the answer{where[0]} is {where[1]}, which JSON cannot say" if where else str(error)
        ) from error
    except RecursionError as error:
        raise AnswerError("the answer holds itself, or is nested too deep") from error
    except (TypeError, NotImplementedError) as error:
        raise AnswerError(f"the answer cannot be written as JSON: {error}") from error


def preferred(accept: str, offers: tuple[str, ...]) -> str:
    """The offer that an `Accept` header likes best (RFC 9110, 12.5.1); the first one where it does not care."""
    best, liking = offers[0], 0.0
    wishes = [wish.partition(";") for wish in accept.lower().split(",")]
    for kind, _, parameters in wishes:
        weight = next((p.strip()[2:] for p in parameters.split(";") if p.strip().startswith("q=")), "1")
        quality = float(weight) if weight.replace(".", "", 1).isdigit() else 0.0
        if kind.strip() in offers and quality > liking:
            best, liking = kind.strip(), quality
    return best


def _check_size(made: Response) -> None:
    if isinstance(made.body, bytes):
        size = 4 * math.ceil(len(made.body) / 3)
    else:
        size = len(json.dumps(made.body)) if len(made.body) > _LONG else 0
    if size > LIMIT - 4096:  # beside the body there are headers
        hint = ": ask for less of it"
        if made.headers["Content-Type"] == "image/png":
            hint = ": ask for another form with Accept: image/jpeg"
        raise HttpError(
            413, "answer_too_large", f"the answer has {size / 1e6:.1f} MB, and Lambda hands on {LIMIT / 1e6:.1f}{hint}"
        )


def _plain(value: object) -> object:
    """msgspec's hook for what it does not know. Raises `NotImplementedError`."""
    kind = type(value)
    if kind.__module__.partition(".")[0] == "numpy":
        plain: Any = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(plain, complex) or plain is value:
            raise NotImplementedError(f"{kind.__name__} is no number of JSON")
        return plain
    if hasattr(value, "detach") and hasattr(value, "tolist"):  # torch
        return value.detach().cpu().tolist()
    if _is_picture(value):
        return _data_url(_encoded(value, "PNG"), "image/png")
    if isinstance(value, Path):
        return _data_url(_bytes(value), mimetypes.guess_type(value.name)[0] or "application/octet-stream")
    if inspect.isgenerator(value) or isinstance(value, Iterator):
        return list(value)
    if isinstance(value, str | int | float):  # a subclass, such as numpy.str_
        return next(base(value) for base in (str, int, float) if isinstance(value, base))
    raise NotImplementedError(f"{kind.__module__}.{kind.__qualname__} is unknown to it")


def _infinite(value: object, where: str) -> Iterator[tuple[str, str]]:
    """Where in plain data a number is none, and which."""
    match value:
        case float() if not math.isfinite(value):
            yield where, "NaN" if math.isnan(value) else "infinite"
        case dict():
            for key, item in value.items():
                yield from _infinite(item, f"{where}.{key}")
        case list() | tuple():
            for number, item in enumerate(value):
                yield from _infinite(item, f"{where}[{number}]")


def _is_picture(value: object) -> bool:
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(value).__mro__)


def _encoded(picture: Any, form: str) -> bytes:  # noqa: ANN401 - a PIL.Image.Image
    """The picture's bytes, without its metadata. JPEG has no transparency: white shows."""
    from PIL import Image

    kept = {"PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"), "JPEG": ("L", "RGB"), "WEBP": ("RGB", "RGBA")}[form]
    if picture.mode not in kept:
        alpha = "A" in picture.getbands() or "transparency" in picture.info
        picture = picture.convert("RGBA" if alpha else "RGB")
        if "RGBA" not in kept and picture.mode == "RGBA":
            ground = Image.new("RGB", picture.size, "white")
            ground.paste(picture, mask=picture.getchannel("A"))
            picture = ground
    stream = BytesIO()
    picture.save(stream, form, **({"quality": 90} if form != "PNG" else {}))
    return stream.getvalue()


def _wav(samples: Any, rate: Any) -> bytes:  # noqa: ANN401 - a numpy array and a number
    """16 bits a sample, from samples between -1 and 1, frames or frames × channels."""
    import wave

    import numpy as np

    array = np.asarray(samples)
    if array.ndim not in (1, 2) or not np.isfinite(array).all():
        raise AnswerError("the answer's sound is not frames × channels of finite samples")
    if array.dtype.kind == "f":
        array = np.clip(array * 32768.0, -32768, 32767)
    stream = BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1 if array.ndim == 1 else array.shape[1], 2, int(rate), 0, "NONE", "not compressed"))
        file.writeframes(array.astype("<i2").tobytes())
    return stream.getvalue()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AnswerError(f"the answer's file cannot be read: {error}") from error


def _data_url(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}"
