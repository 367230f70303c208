"""`pip install pytest -r requirements.txt`, then `python -m pytest`."""

import wave

import numpy as np
from predictor import predict


def test_the_example() -> None:
    with wave.open("examples/a4.wav") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        found = predict((samples[:, np.newaxis], file.getframerate()))
    assert (found.seconds, found.hertz) == (0.5, 440.0)


def test_silence_is_silent() -> None:
    assert predict((np.zeros((8000, 1), np.float32), 8000)).decibels == -120.0
