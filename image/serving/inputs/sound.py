"""Sound that a stranger sent → samples and their rate, or the reason why not.

Decoded by libsndfile (WAV, FLAC, OGG, MP3, AIFF and more), which is in the image when a predictor takes sound.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from serving.gateway import HttpError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_SAMPLES = 40_000_000
"""Samples of all channels together: 160 MB as float32, 15 minutes of 44.1 kHz. Headers may claim any number."""
BLOCK = 1 << 20


def read(data: bytes, where: str) -> tuple[NDArray[np.float32], int]:
    """Samples from -1 to 1, frames × channels, and frames a second. Raises `HttpError`."""
    import numpy as np
    import soundfile

    try:
        with soundfile.SoundFile(BytesIO(data)) as file:
            channels, rate = file.channels, file.samplerate
            blocks, left = [], MAX_SAMPLES // channels
            while len(block := file.read(min(BLOCK, left + 1), dtype="float32", always_2d=True)):
                left -= len(block)
                if left < 0:
                    minutes = MAX_SAMPLES / channels / rate / 60
                    raise HttpError(413, "sound_too_long", f"{where}: longer than {minutes:.1f} minutes")
                blocks.append(block)
    except (soundfile.LibsndfileError, soundfile.SoundFileRuntimeError, ValueError) as error:
        reason = str(error).removeprefix("Error opening ").partition(": ")[2] or str(error)
        raise HttpError(
            400,
            "unsupported_sound",
            f"{where} cannot be read as sound ({reason.strip()[:100]}): send WAV, FLAC, OGG or MP3",
        ) from error
    return (np.concatenate(blocks) if blocks else np.zeros((0, channels), np.float32)), rate
