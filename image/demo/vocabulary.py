"""The words of all sentences, and sentences as indices."""

from __future__ import annotations

from demo.scenes import COLOURS, COUNTS, PLURALS, POSITIONS, RADII, RELATIONS

PAD, UNKNOWN, START, END = "<pad>", "<unk>", "<start>", "<end>"

_PARTS = (
    *COUNTS,
    *RADII,
    *COLOURS,
    *PLURALS.keys(),
    *PLURALS.values(),
    *RELATIONS,
    *(position for row in POSITIONS for position in row),
)
# Each word once, in the order of the grammar; the special words lie where the published model has them.
WORDS = (PAD, *dict.fromkeys(word for part in _PARTS for word in part.split()), UNKNOWN, START, END)
INDEX = {word: index for index, word in enumerate(WORDS)}
LONGEST = 14  # "a large red circle to the left of two small blue squares", with <start> and <end>

_MIRROR = {"left": "right", "right": "left"}
# MIRRORED[i] is the word that i becomes when the picture is mirrored.
MIRRORED = tuple(INDEX[_MIRROR.get(word, word)] for word in WORDS)


def encode(caption: str) -> list[int]:
    """`<start>`, the words, `<end>`, then `<pad>` up to `LONGEST`. Raises `KeyError` for an unknown word."""
    indices = [INDEX[START], *(INDEX[word] for word in caption.split()), INDEX[END]]
    return indices + [INDEX[PAD]] * (LONGEST - len(indices))


def decode(indices: list[int]) -> str:
    """The sentence up to `<end>`, special words left out."""
    words = []
    for index in indices:
        if index == INDEX[END]:
            break
        if WORDS[index] not in (PAD, UNKNOWN, START):
            words.append(WORDS[index])
    return " ".join(words)
