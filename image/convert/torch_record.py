"""Tensors as torch's legacy format has them in a pickle: a storage's bytes, and which part of it is the tensor.

A storage is a record of its own: four pickles (a magic number, a version, the machine, the storage as a persistent
id), a fifth with the storage's key, then its length and its numbers (torch.serialization, `_legacy_save`).
"""

from __future__ import annotations

import io
import pickle
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convert.opcodes import Counter, Global, Stream, load

if TYPE_CHECKING:
    from torch import Tensor, dtype

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
RANK = 8  # sizes of a tensor; a convolution's weights have four
_TYPES = {
    "torch.BFloat16Storage": "bfloat16",
    "torch.BoolStorage": "bool",
    "torch.ByteStorage": "uint8",
    "torch.CharStorage": "int8",
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.IntStorage": "int32",
    "torch.LongStorage": "int64",
    "torch.ShortStorage": "int16",
}


@dataclass(frozen=True)
class _Promised:
    """A storage that the record speaks of and has yet to bring."""

    type: dtype
    key: str
    count: int


def storage(content: object, counter: Counter) -> Tensor:
    """A record → its numbers, one-dimensional and copied. Raises `UnpicklingError` and `ValueError`."""
    import torch

    if type(content) is not bytes:
        raise pickle.UnpicklingError("a tensor's record holds no bytes")
    if content.startswith(b"PK"):
        raise pickle.UnpicklingError("a tensor's record is no legacy record of torch")
    stream = Stream(io.BytesIO(content), len(content))
    head = [load(stream, {}, counter) for _ in range(3)]
    promised = load(stream, dict.fromkeys(_TYPES, _uncalled), counter, _promised)
    keys = load(stream, {}, counter)
    if head[:2] != [MAGIC, VERSION] or not isinstance(head[2], dict) or head[2].get("little_endian") is not True:
        raise pickle.UnpicklingError("a tensor's record is of an unknown kind")
    if not isinstance(promised, _Promised) or not isinstance(keys, list) or keys[:2] != [promised.key]:
        raise pickle.UnpicklingError("a tensor's record holds no storage")
    (count,) = struct.unpack("<q", stream.read(8))
    if count != promised.count or count * promised.type.itemsize != stream.left:
        raise pickle.UnpicklingError("a tensor's record is longer or shorter than it says")
    numbers = bytearray(stream.read(stream.left))
    return torch.frombuffer(numbers, dtype=promised.type) if numbers else torch.empty(0, dtype=promised.type)


def tensor(
    numbers: object, offset: object, size: object, stride: object, requires_grad: object, hooks: object
) -> Tensor:
    """The part of a storage that is a tensor: inside its bounds and no larger, whatever strides it has.

    torch would enlarge a storage that is too small, and read one number a million times where a stride is 0.
    """
    import torch

    del requires_grad, hooks
    shape, steps = _sizes(size), _sizes(stride)
    (first,) = _sizes((offset,))
    if not isinstance(numbers, torch.Tensor) or len(shape) != len(steps):
        raise pickle.UnpicklingError("a tensor has no storage")
    count = 1
    for length in shape:
        count *= length
    last = first + sum((length - 1) * step for length, step in zip(shape, steps, strict=True))
    if count > numbers.numel() or first > numbers.numel() or (count and last >= numbers.numel()):
        raise pickle.UnpicklingError(f"a tensor {list(shape)} reaches outside of its storage of {numbers.numel()}")
    return numbers.as_strided(shape, steps, first)


def _promised(reference: object) -> _Promised:
    """`("storage", its type, key, device, length, part of another)`, as `_legacy_save` names one."""
    import torch

    match reference:
        case ("storage", Global(name), str(key), str(), int(count), None) if name in _TYPES and count >= 0:
            return _Promised(getattr(torch, _TYPES[name]), key, count)
    raise pickle.UnpicklingError("a tensor's record refers to what is no storage")


def _uncalled(*_: object) -> object:
    raise pickle.UnpicklingError("a tensor's record calls its type")


def _sizes(numbers: object) -> tuple[int, ...]:
    if (
        type(numbers) is not tuple
        or len(numbers) > RANK
        or not all(type(number) is int and 0 <= number < 2**40 for number in numbers)
    ):
        raise pickle.UnpicklingError("a tensor's size is no size")
    return numbers
