"""The model bundle: a folder with two ONNX graphs (or PyTorch weights), a vocabulary and `model.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
ENCODER = "encoder.onnx"
DECODER = "decoder.onnx"
AVX512 = {ENCODER: "encoder.avx512.onnx", DECODER: "decoder.avx512.onnx"}
"""The same for processors that have AVX-512; a bundle need not have them."""
MANIFEST = "model.json"
VOCABULARY = "vocabulary.json"
WEIGHTS = "weights.safetensors"
RUNTIMES = {"onnx": (ENCODER, DECODER), "torch": (WEIGHTS,)}
"""What computes the captions → the files that it loads."""
PAD, UNKNOWN, START, END = "<pad>", "<unk>", "<start>", "<end>"


class BundleError(Exception):
    """A bundle that cannot be served; the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What `model.json` and `vocabulary.json` say, checked once so that nothing after has to.

    `width` and `height` are the encoder's input in pixels, `mean` and `std` per RGB channel on a scale of 0
    to 1. `grid` is the attention's (rows, columns): row-major, as wide as the picture, P = rows × columns.
    `words[i]` is the word of index i. `optimized`: the graphs were optimised when they were saved. `runtime` is
    one of `RUNTIMES`.
    """

    folder: Path
    name: str
    description: str
    width: int
    height: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    grid: tuple[int, int]
    words: tuple[str, ...]
    optimized: bool
    runtime: str = "onnx"

    @property
    def start(self) -> int:
        """Index of the word every caption begins with."""
        return self.words.index(START)

    @property
    def end(self) -> int:
        """Index of the word that ends a caption."""
        return self.words.index(END)

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Reads and checks the bundle in `folder`. Raises `BundleError`."""
        if not folder.is_dir():
            raise BundleError(f"{folder} is not a folder with a model bundle")
        _check_there(folder, MANIFEST, VOCABULARY)
        manifest = _manifest(folder / MANIFEST)
        runtime = manifest.get("runtime", "onnx")
        if runtime not in RUNTIMES:
            raise BundleError(f"{folder / MANIFEST}: runtime {runtime!r} is not known, only {', '.join(RUNTIMES)}")
        _check_there(folder, *RUNTIMES[runtime])
        words = _words(folder / VOCABULARY)
        try:
            image = manifest["image"]
            rows, columns = (_size(number) for number in manifest["attention_grid"])
            _check_resample(image["resample"])
            return cls(
                folder=folder,
                name=str(manifest["name"]),
                description=str(manifest.get("description", "")),
                width=_size(image["width"]),
                height=_size(image["height"]),
                mean=_channels(image["mean"]),
                std=_channels(image["std"], positive=True),
                grid=(rows, columns),
                words=words,
                optimized=manifest.get("optimized", False) is True,
                runtime=runtime,
            )
        except KeyError as error:
            raise BundleError(f"{folder / MANIFEST} lacks {error}") from error
        except (TypeError, ValueError) as error:
            raise BundleError(f"{folder / MANIFEST}: {error}") from error


def _check_there(folder: Path, *files: str) -> None:
    for file in files:
        if not (folder / file).is_file():
            raise BundleError(f"{folder / file} is missing")


def _manifest(file: Path) -> dict[str, Any]:
    manifest = _json(file)
    if not isinstance(manifest, dict):
        raise BundleError(f"{file} holds no JSON object")
    if manifest.get("format") != FORMAT:
        found = manifest.get("format")
        raise BundleError(f"{file} has format {found!r}, not {FORMAT}: convert the model again")
    return manifest


def _words(file: Path) -> tuple[str, ...]:
    words = _json(file)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BundleError(f"{file} holds no JSON list of words")
    if len(set(words)) != len(words):
        raise BundleError(f"{file} holds a word twice")
    for special in (PAD, UNKNOWN, START, END):
        if special not in words:
            raise BundleError(f"{file} lacks {special}")
    if words[0] != PAD:
        raise BundleError(f"{file} begins with {words[0]!r} instead of {PAD}")
    return tuple(words)


def _json(file: Path) -> object:
    try:
        # UTF-8 said aloud: Lambda's locale may be POSIX, and words are not all ASCII.
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # bad JSON, bad UTF-8, lists in lists without an end
        raise BundleError(f"{file} is not JSON: {error}") from error


def _check_resample(value: object) -> None:
    if value != "bicubic":
        raise ValueError(f"resample {value!r} is not known, only bicubic")


def _size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} is not a size in whole pixels")
    return value


def _channels(value: list[float], *, positive: bool = False) -> tuple[float, float, float]:
    red, green, blue = (float(channel) for channel in value)
    if positive and min(red, green, blue) <= 0:
        raise ValueError(f"{value!r} has a channel that is not above 0")
    return red, green, blue
