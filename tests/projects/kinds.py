"""Five projects of five kinds, as their authors would write them, each with the real package that has its weights."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

DETECTOR = '''"""Finds faces and bodies on a picture."""
from dataclasses import dataclass

import numpy as np
from nudenet import NudeDetector
from PIL.Image import Image

detector = NudeDetector()


@dataclass
class Box:
    label: str
    score: float
    box: tuple[int, int, int, int]


def predict(image: Image, threshold: float = 0.2) -> list[Box]:
    """Boxes as x, y, width, height, in pixels of the picture."""
    found = detector.detect(np.asarray(image)[:, :, ::-1])
    return [Box(f["class"], f["score"], tuple(f["box"])) for f in found if f["score"] >= threshold]
'''
SPEECH = '''"""Says when somebody speaks."""
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime
from msgspec import Meta

RATE, WINDOW, CONTEXT = 16000, 512, 64
session = onnxruntime.InferenceSession(Path(__file__).with_name("silero_vad.onnx"))


@dataclass
class Segment:
    start: float
    end: float


def predict(audio: tuple[np.ndarray, int], threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5) -> list[Segment]:
    """Seconds in which there is speech."""
    samples, rate = audio
    if rate != RATE:
        raise ValueError(f"send sound of {RATE} Hz, not {rate}")
    state, context, segments = np.zeros((2, 1, 128), np.float32), np.zeros(CONTEXT, np.float32), []
    mono = samples.mean(axis=1)
    for start in range(0, len(mono) - WINDOW + 1, WINDOW):
        chunk = np.concatenate([context, mono[start : start + WINDOW]])
        context = chunk[-CONTEXT:]
        out, state = session.run(None, {"input": chunk[None], "state": state, "sr": np.array(RATE)})
        if out[0, 0] >= threshold:
            begin, end = start / RATE, (start + WINDOW) / RATE
            if segments and segments[-1].end == begin:
                segments[-1].end = end
            else:
                segments.append(Segment(begin, end))
    return segments
'''
VECTORS = '''"""Turns texts into vectors of 256 numbers."""
from pathlib import Path

import numpy as np
import wordllama

model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent)


def predict(texts: list[str], normalise: bool = True) -> np.ndarray:
    """One row a text."""
    return model.embed(texts, norm=normalise)
'''
SEPIA = '''"""Makes a photo look old."""
import numpy as np
from PIL import Image

WEIGHTS = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])


def predict(image: Image.Image, strength: float = 1.0) -> Image.Image:
    """The same picture in brown."""
    pixels = np.asarray(image)
    brown = np.clip(pixels @ WEIGHTS.T, 0, 255)
    return Image.fromarray((pixels + strength * (brown - pixels)).astype(np.uint8))
'''
FLOWERS = '''"""Says which iris it is."""
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

data = load_iris()
model = LogisticRegression(max_iter=1000)


def setup() -> None:
    model.fit(data.data, data.target)


@dataclass
class Flower:
    sepal_length: Annotated[float, Gt(0)]
    sepal_width: Annotated[float, Gt(0)]
    petal_length: Annotated[float, Gt(0)]
    petal_width: Annotated[float, Gt(0)]


def predict(flowers: list[Flower]) -> list[str]:
    """One name a flower."""
    rows = [[f.sepal_length, f.sepal_width, f.petal_length, f.petal_width] for f in flowers]
    return [data.target_names[label] for label in model.predict(rows)]
'''
IRIS = [
    {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2},
    {"sepal_length": 6.3, "sepal_width": 3.3, "petal_length": 6.0, "petal_width": 2.5},
]
RATE = 16000


@dataclass(frozen=True)
class Kind:
    """`first` is the first input's name, `example` a file of it, `media_type` its own, or "" where it comes as JSON.

    `said` is what the line of a deploy says of the inputs; `right` judges an answer. `wrong` is a request in JSON that
    gets 400, and the name in it. `weights` is a package that is not installed, and a file of it that is the project's.
    """

    code: str
    requirements: str
    said: str
    first: str
    example: str
    content: bytes
    media_type: str
    right: Callable[[Any], bool]
    wrong: tuple[Mapping[str, object], str]
    weights: tuple[str, str] = ("", "")
    more: Mapping[str, str] = field(default_factory=dict)


@cache
def picture() -> bytes:
    """A face, roughly."""
    image = Image.new("RGB", (320, 320), "lightblue")
    draw = ImageDraw.Draw(image)
    draw.ellipse((80, 40, 240, 280), fill=(224, 172, 105))
    for x in (120, 176):
        draw.ellipse((x, 120, x + 24, 140), fill="white", outline="black")
        draw.ellipse((x + 8, 124, x + 18, 138), fill="black")
    draw.arc((120, 180, 200, 240), 20, 160, fill="darkred", width=8)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@cache
def vowels() -> bytes:
    """Half a second of silence, vowels by pulses through three formants each, and silence again."""
    noise = np.random.default_rng(0)
    formants = {"a": (730, 1090, 2440), "i": (270, 2290, 3010), "u": (300, 870, 2240)}
    parts = [np.zeros(RATE // 2)]
    for name in "aiuai":
        time = np.arange(int(0.22 * RATE)) / RATE
        phase = np.cumsum(125 * (1 + 0.05 * np.sin(6 * np.pi * time))) / RATE
        sound = np.diff(np.floor(phase), prepend=0) + 0.01 * noise.standard_normal(len(time))
        for formant in formants[name]:
            radius = np.exp(-np.pi * 100 / RATE)
            echo, before = 2 * radius * np.cos(2 * np.pi * formant / RATE), [0.0, 0.0]
            for place, sample in enumerate(sound):
                before = [float(sample) + echo * before[0] - radius**2 * before[1], before[0]]
                sound[place] = before[0]
        sound *= np.minimum(1, np.minimum(time / 0.03, (0.22 - time) / 0.05))
        parts += [0.5 * sound / np.abs(sound).max(), 0.002 * noise.standard_normal(RATE // 20)]
    samples = np.concatenate([*parts, np.zeros(RATE // 2)])
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes((samples * 30000).astype("<i2").tobytes())
    return stream.getvalue()


def are_boxes(answer: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(answer, list) and all(
        set(box) == {"label", "score", "box"} and len(box["box"]) == 4 and 0 <= box["score"] <= 1 for box in answer
    )


def is_speech(answer: Any) -> bool:  # noqa: ANN401 - JSON
    """Somewhere after the silence, and before the other."""
    return bool(answer) and all(0.3 < part["start"] < part["end"] < 2.1 for part in answer)


def is_vectors(answer: Any) -> bool:  # noqa: ANN401 - JSON
    rows = np.array(answer)
    return rows.shape == (2, 256) and bool(np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3))


def is_brown(answer: bytes) -> bool:
    """The picture's own size, and red over green over blue."""
    seen = np.asarray(Image.open(io.BytesIO(answer)).convert("RGB")).astype(float)
    red, green, blue = seen.mean(axis=(0, 1))
    return seen.shape == (320, 320, 3) and bool(red > green > blue)


KINDS = {
    "picture-to-boxes": Kind(
        DETECTOR,
        "nudenet\n",
        "predict(image: picture, threshold)",
        *("image", "face.png", picture(), "image/png"),
        are_boxes,
        ({"image": "no picture"}, "image"),
        more={"threshold": "0.01"},
    ),
    "sound-to-segments": Kind(
        SPEECH,
        "numpy\nonnxruntime\n",
        "predict(audio: sound, threshold)",
        *("audio", "vowels.wav", vowels(), "audio/wav"),
        is_speech,
        ({"audio": "", "threshold": 2}, "threshold"),
        weights=("silero-vad", "silero_vad/data/silero_vad.onnx"),
        more={"threshold": "0.5"},
    ),
    "texts-to-vectors": Kind(
        VECTORS,
        "wordllama\n",
        "predict(texts, normalise)",
        *("texts", "two.json", json.dumps(["a cat", "a dog"]).encode(), ""),
        is_vectors,
        ({"texts": ["a", 1]}, "texts"),
        more={"normalise": "true"},
    ),
    "picture-to-picture": Kind(
        SEPIA,
        "numpy\n",
        "predict(image: picture, strength)",
        *("image", "face.png", picture(), "image/png"),
        is_brown,
        ({"strength": 1}, "image"),
        more={"strength": "1"},
    ),
    "records-to-labels": Kind(
        FLOWERS,
        "scikit-learn\nannotated-types\n",
        "predict(flowers)",
        *("flowers", "irises.json", json.dumps(IRIS).encode(), ""),
        lambda answer: answer == ["setosa", "virginica"],
        ({"flowers": [{**IRIS[0], "petal_width": 0}]}, "petal_width"),
    ),
}
