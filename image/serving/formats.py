"""Each format's file, opened: what its header says, and the picture with what its numbers mean."""

from __future__ import annotations

from importlib import import_module
from io import BytesIO
from typing import Any, cast

from PIL import Image

from serving import beside, bitmap, structure, tiff
from serving.kinds import NotSupportedError
from serving.seen import Meaning, as_seen, exif_orientation, orientation

# Nothing but these is tried: Pillow knows 40 formats more, among them some that start other programs.
PLUGINS = {
    "JPEG": "PIL.JpegImagePlugin",
    "PNG": "PIL.PngImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
    "HEIF": "pi_heif",
}
# Pixels. A picture of more is refused by its header, before one is decoded. A body is at most 4.5 MB here (Lambda's
# 6 MB after base64), so hardly a real photo comes near. What these allow costs at most 300 MB and 2 s.
MOST = 20_000_000  # every screen up to 5K
MOST_HEIC = 25_000_000  # what phones write
MOST_JPEG = 50_000_000  # what the largest common phones take (48 and 50 MP), since it can be decoded coarsely
MOST_WHOLE = 25_000_000  # and is, if it has more than these; a progressive one may have no more
MOST_CANVAS = 16_000_000  # WebP, AVIF, some of APNG: a canvas, or two, that is then copied, 9 to 16 bytes a pixel
MOST_RUNS = 4_000_000  # BMP's are decoded in Python
TILE_WIDTH, TILE_LENGTH = 322, 323  # TIFF 6.0, section 15


class File:
    """A file of a format of which Pillow knows all. Raises `NotSupportedError` where it is opened."""

    most = MOST

    def __init__(self, data: bytes, kind: str) -> None:
        self.beside = beside.parted(data, kind)
        self.image = Image.open(BytesIO(self.beside.data), formats=(kind,))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, before turning."""
        return self.image.size

    @property
    def tile(self) -> tuple[int, int]:
        """Width and height of what is decoded at a time, where that is not the picture's; it may be larger."""
        return (0, 0)

    def load(self, side: int) -> Image.Image:  # noqa: ARG002 - for those that can be decoded smaller
        """The decoded picture; `side` is as much as is needed of the shorter one."""
        self.image.load()
        return self.image

    @property
    def turn(self) -> int:
        """EXIF's orientation of what `load` gave."""
        return orientation(self.image)

    def meaning(self) -> Meaning:
        """Of what `load` gave."""
        return Meaning(profile=self.profile())

    def profile(self) -> bytes | None:
        """The ICC profile of its colours; None for sRGB."""
        icc = self.image.info.get("icc_profile")
        return icc if isinstance(icc, bytes) and icc else None


class Jpeg(File):
    def __init__(self, data: bytes, kind: str) -> None:
        if (process := structure.process(data)) is not None:
            raise NotSupportedError(process)
        super().__init__(data, kind)

        # All of a progressive one's coefficients are in memory at once, at up to 6 bytes a pixel.
        self.most = MOST_WHOLE if self.image.info.get("progressive") else MOST_JPEG

    def load(self, side: int) -> Image.Image:
        width, height = self.image.size
        if width * height > MOST_WHOLE and min(width, height) < 2 * side:
            width, height = width // 2, height // 2
        else:
            width = height = side
        self.image.draft(cast("Any", None), (width, height))
        return super().load(side)

    @property
    def turn(self) -> int:
        return exif_orientation(self.beside.exif) if self.beside.exif else 1

    def profile(self) -> bytes | None:
        return self.beside.icc


class Png(Jpeg):
    def __init__(self, data: bytes, kind: str) -> None:
        File.__init__(self, data, kind)
        # The picture for those who know no animations is no frame of this one.
        self.apart = getattr(self.image, "default_image", False) and getattr(self.image, "n_frames", 1) > 1
        self.most = MOST_CANVAS if self.apart else MOST

    def load(self, side: int) -> Image.Image:  # noqa: ARG002
        if self.apart:
            self.image.seek(1)
        self.image.load()
        return self.image

    def meaning(self) -> Meaning:
        return Meaning(self.profile(), key=self.beside.key, bits=self.beside.bits)

    def profile(self) -> bytes | None:
        """By cICP, else iCCP, else sRGB, else gAMA and cHRM: https://www.w3.org/TR/png-3/#color-chunk-precendence."""
        found = self.beside
        if found.code_points is not None:
            from serving.colour import from_code_points

            return from_code_points(*found.code_points, video=True)
        if found.icc is not None or found.srgb or found.gamma is None:
            return found.icc
        from serving.colour import from_gamma

        return from_gamma(found.gamma, found.chromaticities)


class WebP(File):
    most = MOST_CANVAS

    @property
    def turn(self) -> int:
        return 1  # browsers show it as it lies, whatever its EXIF says


class Gif(File):
    def load(self, side: int) -> Image.Image:
        image = super().load(side)
        extent = getattr(image, "dispose_extent", None)
        if extent is None or tuple(extent) == (0, 0, *image.size):
            return image
        # What the first frame leaves free is clear.
        seen = Image.new("RGB", image.size, "white")
        seen.paste(as_seen(image.crop(extent)), extent[:2])
        return seen


class Bmp(File):
    def __init__(self, data: bytes, kind: str) -> None:
        self.data = data
        self.masked = bitmap.masked(data)
        if structure.is_packed(data):
            self.most = MOST_RUNS
        if self.masked is None:
            super().__init__(data, kind)

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size if self.masked is None else self.masked.size

    def load(self, side: int) -> Image.Image:
        return super().load(side) if self.masked is None else self.masked.decoded()

    @property
    def turn(self) -> int:
        return 1

    def profile(self) -> bytes | None:
        if (calibration := bitmap.calibration(self.data)) is None:
            return bitmap.profile(self.data)
        from serving.colour import from_calibration

        return from_calibration(*calibration)


class Tiff(File):
    def __init__(self, data: bytes, kind: str) -> None:
        self.found = tiff.understood(data)
        files = self.found.planes or (self.found.data,)
        self.planes = [Image.open(BytesIO(file), formats=(kind,)) for file in files]
        self.image = self.planes[0]

    @property
    def tile(self) -> tuple[int, int]:
        tags = cast("Any", self.image).tag_v2
        return tags.get(TILE_WIDTH, 0), tags.get(TILE_LENGTH, 0)

    def load(self, side: int) -> Image.Image:
        image = super().load(side)
        if self.found.planes:
            # A gray picture each, of which all but the first are as yet unread.
            deep = Meaning(white=self.found.white)
            channels = [as_seen(plane, meaning=deep).getchannel(0) for plane in self.planes]
            return Image.merge(self.found.mode, channels)
        if self.found.palette is not None:
            image.putpalette(self.found.palette)
        if image.mode == "I" and self.found.white is None:
            darkest, brightest = cast("tuple[float, float]", image.getextrema())
            if darkest < 0 or brightest > 65535:
                raise NotSupportedError("of signed numbers of 32 bits in grey")
        return image

    @property
    def turn(self) -> int:
        return 1  # Pillow turns it as it is loaded

    def meaning(self) -> Meaning:
        return Meaning(self.profile(), white=self.found.white, inverted=self.found.inverted)


class Avif(File):
    most = MOST_CANVAS

    def profile(self) -> bytes | None:
        icc = super().profile()
        if icc is not None or self.beside.code_points is None:
            return icc
        from serving.colour import from_code_points

        return from_code_points(*self.beside.code_points)


class Heif(File):
    most = MOST_HEIC

    def __init__(self, data: bytes, kind: str) -> None:
        import pi_heif

        pi_heif.register_heif_opener()
        super().__init__(data, kind)

    @property
    def turn(self) -> int:
        return 1  # HEIC says it in other words, which libheif goes by

    def profile(self) -> bytes | None:
        icc = super().profile()
        nclx = self.image.info.get("nclx_profile")
        if icc is not None or not nclx:
            return icc
        from serving.colour import from_code_points

        return from_code_points(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"]))


FILES: dict[str, type[File]] = {"JPEG": Jpeg, "PNG": Png, "WEBP": WebP, "GIF": Gif, "BMP": Bmp}
FILES |= {"TIFF": Tiff, "AVIF": Avif, "HEIF": Heif}


def opened(data: bytes, kind: str) -> File:
    """The file, by its format as `kinds.sniff` knows it."""
    import_module(PLUGINS[kind])
    return FILES[kind](data, kind)
