"""A picture on stdin → a JPEG on stdout of what a person sees in it, for who sends it: read as the function reads it.

python -m serving.draw 2048 4500000 125000000: pixels of the longer side, and bytes, that it has at most, and pixels of
what is read. A line of JSON stands before the JPEG: `{"truncated": …}`; or it is all, `{"refused": "why"}`.
"""

from __future__ import annotations

import json
import sys
from io import BytesIO

from PIL import Image

from serving import picture

QUALITIES = (95, 90, 80, 60)
"""JPEG's, to try in turn: at the last, even noise of 2048 × 2048 pixels is below the gateway's limit."""


def main() -> None:
    side, limit, pixels = (int(argument) for argument in sys.argv[1:])
    data = sys.stdin.buffer.read()
    try:
        enough = 2 * side // picture.MARGIN
        seen = picture.decode(data, picture.known(data), (enough, enough), pixels)
    except (picture.UnsupportedImageError, picture.ImageTooLargeError) as error:
        answer({"refused": str(error)})
    else:
        answer({"truncated": seen.truncated}, drawn(seen.image, side, limit))


def drawn(image: Image.Image, side: int, limit: int) -> bytes:
    """A JPEG that tells nothing but the picture: the longer side first, then the quality, until it fits."""
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    image.info = {}  # else Pillow writes the comment, and a profile that holds no more
    content = b""
    for quality in QUALITIES:
        stream = BytesIO()
        image.save(stream, "JPEG", quality=quality)
        content = stream.getvalue()
        if len(content) <= limit:
            break
    return content


def answer(said: dict[str, object], content: bytes = b"") -> None:
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n" + content)


if __name__ == "__main__":
    main()
