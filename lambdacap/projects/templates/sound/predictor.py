"""How long, how loud and how high a sound is."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Measured:
    seconds: float
    decibels: float  # 0 is as loud as a file can be
    hertz: float


def predict(sound: tuple[np.ndarray, int]) -> Measured:
    """Measure a sound."""
    samples, rate = sound
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    if not mono.size:
        raise ValueError("there is no sound in it")
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(mono.size)))
    level = 20 * np.log10(max(float(np.sqrt(np.mean(mono**2))), 1e-6))
    return Measured(round(mono.size / rate, 3), round(level, 1), round(spectrum.argmax() * rate / mono.size, 1))
