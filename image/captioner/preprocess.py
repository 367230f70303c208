"""From a picture to the encoder's input, as the published captioner did it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from serving.seen import as_seen

if TYPE_CHECKING:
    from captioner.beam import Floats
    from captioner.bundle import Bundle


def tensor(image: Image.Image, bundle: Bundle) -> Floats:
    """The picture as the encoder takes it: float32 [1, 3, height, width], per channel (v / 255 − mean) / std.

    The picture is turned upright and flattened first (see `seen.as_seen`), then squeezed to the encoder's
    size without regard to its proportions: the model was trained so.
    """
    small = as_seen(image).resize((bundle.width, bundle.height), Image.Resampling.BICUBIC)
    pixels: Floats = np.asarray(small).astype(np.float32)
    pixels /= 255
    pixels -= np.array(bundle.mean, np.float32)
    pixels /= np.array(bundle.std, np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[np.newaxis])
