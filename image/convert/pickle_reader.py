"""Reads `model.pickle` without running what it says.

A pickle is a program: it names functions, and Python's reader calls them. This one knows the names of the
published format, puts inert records in place of every class, and refuses each other name. The tensors lie in nested
records of torch's legacy format, which are pickles again and read in the same way.

The format is `joblib.dump` without compression: a plain pickle of PyTorch modules, written by torch 1.10.
"""

from __future__ import annotations

import os
import pickle
import struct
from typing import TYPE_CHECKING

from convert.errors import ConvertError, RefusedError, shown
from convert.opcodes import Counter, Record, Stream, load
from convert.torch_record import storage, tensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLASSES = frozenset(
    (
        "caption.ImageToWordModel",
        "models.Attention",
        "models.DecoderWithAttention",
        "models.Encoder",
        "torch.nn.modules.activation.ReLU",
        "torch.nn.modules.activation.Sigmoid",
        "torch.nn.modules.activation.Softmax",
        "torch.nn.modules.batchnorm.BatchNorm2d",
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.conv.Conv2d",
        "torch.nn.modules.dropout.Dropout",
        "torch.nn.modules.linear.Linear",
        "torch.nn.modules.pooling.AdaptiveAvgPool2d",
        "torch.nn.modules.pooling.MaxPool2d",
        "torch.nn.modules.rnn.LSTMCell",
        "torch.nn.modules.sparse.Embedding",
        "torchvision.models.resnet.Bottleneck",
    )
)
# First bytes of what people have in hand instead, and what it is.
OTHERS = {
    b"PK\x03\x04": "a zip archive, perhaps of torch.save",
    b"\x1f\x8b": "compressed with gzip",
    b"x\x9c": "compressed with zlib",
    b"x\x01": "compressed with zlib",
    b"x\xda": "compressed with zlib",
    b"BZh": "compressed with bzip2",
    b"\x04\x22M\x18": "compressed with lz4",
    b"]\x00\x00": "compressed with lzma",
    b"ZF": "compressed by an old joblib",
    b"\xfd7zXZ": "compressed with xz",
    b"<": "a web page or XML, perhaps an error that came instead of the download",
    b"{": "JSON",
    b"version https://git-lfs": "a Git LFS pointer and not the file that it stands for",
}

BROKEN = (
    *(ArithmeticError, EOFError, LookupError, MemoryError, RuntimeError, TypeError, ValueError),
    *(pickle.UnpicklingError, struct.error),
)
"""What the bytes of a broken file can raise where they are read."""


def read(file: Path) -> Record:
    """The object in `file`. Raises `RefusedError` for what may carry code, `ConvertError` for what is broken."""
    if not file.is_file():
        raise ConvertError(f"{file} is not a file", hint="`lambdacap model fetch` downloads the published weights.")
    with file.open("rb") as stream:
        start = stream.read(64)
        stream.seek(0)
        other = next((what for magic, what in OTHERS.items() if start.lstrip().startswith(magic)), None)
        if not start.startswith(b"\x80"):  # the opcode PROTO, first in every pickle since protocol 2
            what = other or ("empty" if not start else "no pickle")
            raise ConvertError(f"{file} is {what}", hint="Expected is the published model.pickle, as downloaded.")
        counter = Counter()
        try:
            # What may follow its end is not read: joblib would not either.
            found = load(Stream(stream, os.fstat(stream.fileno()).st_size), _known(counter), counter)
        except RefusedError as error:
            raise RefusedError(f"{file}: {error}", hint=error.hint) from error
        except BROKEN as error:
            reason = "it takes more memory than there is" if isinstance(error, MemoryError) else shown(str(error))
            raise ConvertError(
                f"{file} is broken or cut off: {reason}",
                hint="Download it again; `lambdacap model fetch` says what has arrived.",
            ) from error
    if not isinstance(found, Record) or found.kind != "caption.ImageToWordModel":
        raise ConvertError(f"{file} holds no caption.ImageToWordModel", hint="Expected is the published model.pickle.")
    return found


def _known(counter: Counter) -> dict[str, Callable[..., object]]:
    """Every name that a file may use, and what is made of it and its arguments."""
    return {
        **{name: _record(name) for name in CLASSES},
        # Its items follow by another opcode, which looks at the keys; `dict` would hash whatever it is called with.
        "collections.OrderedDict": _ordered,
        # A set is an opcode of its own only since protocol 4.
        "builtins.set": _set,
        "__builtin__.set": _set,
        "torch._utils._rebuild_parameter": lambda data, requires_grad, hooks: data,  # noqa: ARG005 - its own
        "torch._utils._rebuild_tensor_v2": tensor,
        "torch.storage._load_from_bytes": lambda content: storage(content, counter),
    }


def _record(kind: str) -> Callable[[], Record]:
    return lambda: Record(kind)


def _ordered() -> dict[object, object]:
    return {}


def _set(values: object = ()) -> set[str]:
    if not isinstance(values, list | tuple) or not all(type(value) is str for value in values):
        raise pickle.UnpicklingError("a set holds something else than names")
    return set(values)
