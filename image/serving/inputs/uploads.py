"""The files of one request as what the predictor takes: pictures, samples, paths. What was written goes with it."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from serving.gateway import HttpError
from serving.journal import since

if TYPE_CHECKING:
    from types import TracebackType

    from serving.wire import Upload


class Files:
    """Decodes uploads, and keeps in `entry`, the request's line in the log, their kinds and sizes."""

    def __init__(self, entry: dict[str, Any], image_size: tuple[int, int] | None = None) -> None:
        self._entry = entry
        self._image_size = image_size
        self._folder: TemporaryDirectory[str] | None = None
        self._count = 0

    def __enter__(self) -> Files:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._folder:
            self._folder.cleanup()

    def picture(self, upload: Upload, where: str) -> Any:  # noqa: ANN401 - a PIL.Image.Image
        """Upright, RGB. Raises `HttpError`."""
        from serving import picture

        started = perf_counter()
        try:
            seen = picture.read(upload.data, needed=self._image_size)
        except picture.ImageTooLargeError as error:
            raise HttpError(413, "image_too_large", f"{where}: {error}") from error
        except picture.UnsupportedImageError as error:
            self._entry["cause"] = error.cause
            raise HttpError(400, "unsupported_image", f"{where}: {error}") from error
        finally:
            self._entry["decode_ms"] = round(self._entry.get("decode_ms", 0) + since(started), 1)
        self._entry.update(format=seen.format, size=seen.size, truncated=seen.truncated)
        return seen.image

    def sound(self, upload: Upload, where: str) -> Any:  # noqa: ANN401 - (samples, rate)
        """Samples as float32, frames × channels, and the rate. Raises `HttpError`."""
        from serving.inputs import sound

        started = perf_counter()
        try:
            samples, rate = sound.read(upload.data, where)
        finally:
            self._entry["decode_ms"] = round(self._entry.get("decode_ms", 0) + since(started), 1)
        self._entry.update(frames=len(samples), channels=samples.shape[1], rate=rate)
        return samples, rate

    def file(self, upload: Upload, where: str) -> Path:  # noqa: ARG002 - others name it in errors
        """A file that is gone after the answer, with the suffix of its name or of its media type."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="input-")
        self._count += 1
        suffix = Path(upload.name).suffix or mimetypes.guess_extension(upload.media_type) or ""
        if not suffix[1:].isalnum() or len(suffix) > 10:
            suffix = ""
        path = Path(self._folder.name) / f"{self._count}{suffix.lower()}"
        path.write_bytes(upload.data)
        return path
