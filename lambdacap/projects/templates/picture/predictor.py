"""The colours that a picture is made of."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta
from PIL.Image import Image


@dataclass
class Colour:
    hex: str
    share: float


def predict(photo: Image, top: Annotated[int, "how many", Meta(ge=1, le=16)] = 5) -> list[Colour]:
    """The colours that most of the photo has, with their shares."""
    small = photo.copy()
    small.thumbnail((200, 200))
    reduced = small.quantize(top)
    palette, all_of_it = reduced.getpalette(), small.width * small.height
    found = sorted(reduced.getcolors(), reverse=True)
    return [Colour("#" + bytes(palette[3 * i : 3 * i + 3]).hex(), round(n / all_of_it, 3)) for n, i in found]
