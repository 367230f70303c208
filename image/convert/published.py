"""What the published pickle holds, checked: weights by name, words, and nothing that the network does not do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from captioner.bundle import END, PAD, START, UNKNOWN

from convert.errors import ConvertError, shown
from convert.limits import limited
from convert.opcodes import Record
from convert.pickle_reader import read

if TYPE_CHECKING:
    from pathlib import Path

    from captioner.torch_network import Layout, Network
    from torch import Tensor

# Attributes that say how a module computes. A file that says otherwise than our network would convert to
# something that speaks other words.
SAYING = {
    "torch.nn.modules.conv.Conv2d": ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"),
    "torch.nn.modules.batchnorm.BatchNorm2d": ("eps", "track_running_stats"),
    "torch.nn.modules.pooling.MaxPool2d": ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "torch.nn.modules.pooling.AdaptiveAvgPool2d": ("output_size",),
    "torch.nn.modules.sparse.Embedding": ("padding_idx", "max_norm"),
}

READING = 1 << 29  # bytes of memory for reading, beside copies of the file
# More than any ResNet has.
MODULES = 10_000  # in all; a ResNet-152 has 470
MEMBERS = 1000  # of one module
DEPTH = 16  # of modules in modules; the published ones have four


@dataclass(frozen=True)
class Published:
    """Weights float32 under the names of `captioner.torch_network.Network`; `words[i]` is the word of index i."""

    weights: dict[str, Tensor]
    words: tuple[str, ...]

    @property
    def layout(self) -> Layout:
        """The sizes that the weights have."""
        from captioner.torch_network import Layout

        return Layout.of(self.weights)

    def network(self) -> Network:
        """The reference network with these weights."""
        from captioner.torch_network import Network

        return Network.loaded(self.weights)


def load(file: Path) -> Published:
    """Reads `model.pickle`. Raises `ConvertError` when it is broken or another model, `RefusedError` for code."""
    import torch  # noqa: F401 - before the limits: it has memory of its own

    size = file.stat().st_size if file.is_file() else 0
    with limited(memory=READING + 4 * size, seconds=60 + size // 10_000_000):
        model = read(file)
    try:
        modules = _modules(model)
        published = Published(_weights(modules, size), _words(model.attributes.get("word_map")))
        _compare(modules, published.network())
        _count(published)
    except ConvertError as error:
        raise type(error)(f"{file}: {error}", hint=error.hint) from error
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        words = str(error).splitlines()
        # torch lists everything that is missing, one thing a line, below a line that says no more than that.
        raise ConvertError(
            f"{file} holds another network than the published one: {shown(' '.join(words[:2]).strip(), 300)}",
            hint="Converted is a ResNet of bottlenecks (50 layers and more) with the published attention decoder.",
        ) from error
    return published


def _count(published: Published) -> None:
    words, wanted = len(published.words), published.layout.vocabulary
    if words != wanted:
        raise ConvertError(f"it has {words} words and weights for {wanted}")


def _modules(model: Record) -> dict[str, Record]:
    """All modules by dotted name. A module may be in the pickle twice, but not inside of itself."""
    # The object may be a module with both as children, or a plain object with both as attributes.
    inside = {**_part(model, "_modules"), **model.attributes}
    found: dict[str, Record] = {}
    pending = [(name, inside.get(name), 0) for name in ("encoder", "decoder")]
    while pending:
        name, module, depth = pending.pop()
        if type(module) is not Record or depth > DEPTH:
            raise ConvertError(f"{shown(name)} is no module")
        found[name] = module
        pending += [(f"{name}.{child}", below, depth + 1) for child, below in _part(module, "_modules").items()]
        # Modules in one another several times each are few in a file and any number here.
        if len(found) + len(pending) > MODULES:
            raise ConvertError(f"it has more than {MODULES} modules")
    return found


def _part(module: Record, name: str) -> dict[str, object]:
    """What a module holds under one of torch's own names: its modules, weights or buffers, by name."""
    part = module.attributes.get(name, {})
    if type(part) is not dict or len(part) > MEMBERS or not all(type(key) is str and len(key) < 100 for key in part):
        raise ConvertError(f"the {name.strip('_')} of a {module.kind} are none")
    return part


def _weights(modules: dict[str, Record], size: int) -> dict[str, Tensor]:
    """The tensors by dotted name: float32, finite, not empty, and together no larger than the file of `size` bytes."""
    import torch

    weights = {}
    for name, module in modules.items():
        for own, tensor in (_part(module, "_parameters") | _part(module, "_buffers")).items():
            if own == "num_batches_tracked" or tensor is None:
                continue  # of use in training only
            if not isinstance(tensor, torch.Tensor) or tensor.dtype != torch.float32 or not tensor.numel():
                raise ConvertError(f"{shown(f'{name}.{own}')} is no tensor of float32 numbers")
            # One tensor under a thousand names would be converted a thousand times.
            size -= 4 * tensor.numel()
            if size < 0:
                raise ConvertError("its weights are larger than it is")
            if not bool(torch.isfinite(tensor).all()):
                raise ConvertError(f"{shown(f'{name}.{own}')} is no tensor of finite float32 numbers")
            weights[f"{name}.{own}"] = tensor.contiguous()
    return weights


def _words(word_map: object) -> tuple[str, ...]:
    if type(word_map) is not dict or not all(type(word) is str and _is_text(word) for word in word_map):
        raise ConvertError("word_map is no map from words to indices")
    indices = list(word_map.values())
    if not all(type(index) is int for index in indices) or sorted(indices) != list(range(len(word_map))):
        raise ConvertError("word_map does not number its words from 0 on")
    words = tuple(sorted(word_map, key=word_map.__getitem__))
    missing = [word for word in (PAD, UNKNOWN, START, END) if word not in word_map]
    if missing or words[0] != PAD:
        raise ConvertError(f"word_map lacks {missing[0] if missing else f'{PAD} at its beginning'}")
    return words


def _is_text(word: str) -> bool:
    """Whether a word can be written: half a character cannot, which pickles can hold."""
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


def _compare(modules: dict[str, Record], network: Network) -> None:
    ours = dict(network.named_modules())
    for name, module in modules.items():
        for attribute in SAYING.get(module.kind, ()):
            said, done = module.attributes.get(attribute), getattr(ours.get(name), attribute, None)
            if not _same(said, done) and attribute not in ("padding_idx",):
                raise ConvertError(
                    f"{shown(name)} has {attribute} {shown(said)}, the published network has {shown(done)}"
                )


def _same(said: object, done: object) -> bool:
    """Whether both say the same; one number stands for two of it. What is no setting of torch's is never compared."""
    simple = (bool, float, int, str, type(None))
    if type(said) is tuple and len(said) <= 2 and all(type(part) in simple for part in said):
        return said == _pair(done)
    return type(said) in simple and _pair(said) == _pair(done)


def _pair(value: object) -> object:
    return (value, value) if type(value) is int else value
