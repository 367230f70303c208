"""Reads `model.pickle` without running what it says.

A pickle is a program: it names functions, and the reader calls them. This reader knows the names of the
published format, puts inert records in place of every class, and refuses each other name. The tensors lie in
nested records of torch's legacy format, which are pickles again; `torch.load(weights_only=True)` reads those.

The format is `joblib.dump` without compression: a plain pickle of PyTorch modules, written by torch 1.10.
"""

from __future__ import annotations

import io
import pickle
import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NoReturn

from convert.errors import ConvertError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

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
    b"\xfd7zXZ": "compressed with xz",
    b"<": "a web page or XML, perhaps an error that came instead of the download",
    b"{": "JSON",
    b"version https://git-lfs": "a Git LFS pointer and not the file that it stands for",
}


class Record:
    """An object of the pickle: its class by name, and its attributes as they were written."""

    kind = ""
    attributes: dict[str, Any]

    def __new__(cls, *_: object) -> Record:  # unpickling never calls __init__
        record = super().__new__(cls)
        record.attributes = {}
        return record

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
            raise pickle.UnpicklingError(f"the state of a {self.kind} is no set of attributes")
        self.attributes = state

    def __reduce__(self) -> NoReturn:
        raise TypeError("a record is not written back")

    def children(self) -> dict[str, Record]:
        """The modules in this one, by name."""
        found = self.attributes.get("_modules", {})
        if not isinstance(found, dict) or not all(isinstance(child, Record) for child in found.values()):
            raise ConvertError(f"the modules of a {self.kind} are not modules")
        return dict(found)

    def tensors(self) -> dict[str, Tensor]:
        """This module's own weights and buffers, by name."""
        import torch

        found = {**self.attributes.get("_parameters", {}), **self.attributes.get("_buffers", {})}
        found = {name: tensor for name, tensor in found.items() if tensor is not None}
        if not all(isinstance(tensor, torch.Tensor) for tensor in found.values()):
            raise ConvertError(f"the weights of a {self.kind} are not tensors")
        return found


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
        try:
            found = _Reader(stream).load()
        except RefusedError as error:
            raise RefusedError(f"{file}: {error}", hint=error.hint) from error
        except Exception as error:  # the bytes decide what goes wrong: EOFError, IndexError, MemoryError, …
            raise ConvertError(
                f"{file} is broken or cut off: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
                hint="Download it again; `lambdacap model fetch` says what has arrived.",
            ) from error
    if not isinstance(found, Record) or found.kind != "caption.ImageToWordModel":
        raise ConvertError(f"{file} holds no caption.ImageToWordModel", hint="Expected is the published model.pickle.")
    return found


class _Reader(pickle.Unpickler):
    """Every name goes through `find_class`, whatever opcode it comes by; what that does not know does not exist."""

    def __init__(self, stream: io.BufferedReader) -> None:
        super().__init__(stream)
        # Made anew for each file: a pickle can set attributes on classes that it has named.
        self._known: dict[str, object] = {name: type(name, (Record,), {"kind": name}) for name in CLASSES}
        self._known |= {
            "collections.OrderedDict": OrderedDict,
            # A set is an opcode of its own only since protocol 4.
            "builtins.set": _Function(set),
            "__builtin__.set": _Function(set),
            "torch._utils._rebuild_parameter": _Function(_parameter),
            "torch._utils._rebuild_tensor_v2": _Function(_tensor),
            "torch.storage._load_from_bytes": _Function(_storage),
        }

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - a class or a function
        if f"{module}.{name}" not in self._known:
            raise _refusal(f"{module}.{name}")
        return self._known[f"{module}.{name}"]

    def persistent_load(self, pid: object) -> NoReturn:
        raise RefusedError(f"it refers to something outside of itself: {str(pid)[:80]!r}")


class _Function:
    """Callable, and nothing else: a pickle can set attributes on functions, such as defaults, but not on this."""

    __slots__ = ("_body",)
    _body: Callable[..., object]

    def __init__(self, body: Callable[..., object]) -> None:
        object.__setattr__(self, "_body", body)

    def __call__(self, *arguments: object) -> object:
        return self._body(*arguments)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise pickle.UnpicklingError(f"it sets {name!r} on a function")


def _refusal(name: str) -> RefusedError:
    return RefusedError(
        f"refused: it asks for {name[:120]}, which the published format does not hold and which may be code; "
        "nothing of it was run",
        hint="Take the weights from where they are published; what carries code is nobody's model.",
    )


def _storage(content: object) -> Tensor:
    """A nested record → its numbers, one-dimensional."""
    import torch

    if not isinstance(content, bytes):
        raise pickle.UnpicklingError("a tensor's record holds no bytes")
    if content.startswith(b"PK"):
        raise pickle.UnpicklingError("a tensor's record is no legacy record of torch")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TypedStorage is deprecated, and is what such a record holds
            storage = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            # AttributeError: it holds something else than a storage
            return torch.empty(0, dtype=storage.dtype).set_(storage)
    except pickle.UnpicklingError as error:
        # torch says it in a paragraph of advice on how to run the code all the same; the name is in it.
        words = str(error)
        for lead in ("GLOBAL ", "global ", "function "):
            if lead in words:
                raise _refusal(words.partition(lead)[2].split(maxsplit=1)[0].rstrip(".,")) from error
        raise pickle.UnpicklingError("a tensor's record is broken") from error


def _tensor(
    storage: object, offset: object, size: object, stride: object, requires_grad: object, hooks: object
) -> Tensor:
    """A view of a storage, inside its bounds: torch would enlarge a storage that is too small, to any size."""
    import torch

    del requires_grad, hooks
    shape, steps = _sizes(size), _sizes(stride)
    (first,) = _sizes((offset,))
    if not isinstance(storage, torch.Tensor) or len(shape) != len(steps):
        raise pickle.UnpicklingError("a tensor has no storage")
    last = first + sum((count - 1) * step for count, step in zip(shape, steps, strict=True))
    if 0 not in shape and last >= storage.numel():
        raise pickle.UnpicklingError(f"a tensor {list(shape)} reaches outside of its storage of {storage.numel()}")
    return storage.as_strided(shape, steps, first)


def _parameter(data: object, requires_grad: object, hooks: object) -> object:
    del requires_grad, hooks
    return data


def _sizes(numbers: object) -> tuple[int, ...]:
    if not isinstance(numbers, tuple) or not all(type(number) is int and 0 <= number < 2**40 for number in numbers):
        raise pickle.UnpicklingError("a tensor's size is no size")
    return numbers
