"""What the published pickle holds, checked: weights by name, words, and nothing that the network does not do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from captioner.bundle import END, PAD, START, UNKNOWN

from convert.errors import ConvertError
from convert.pickle_reader import Record, read

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
    model = read(file)
    try:
        modules = _modules(model)
        published = Published(_weights(modules), _words(model.attributes.get("word_map")))
        network = published.network()
    except ConvertError as error:
        raise type(error)(f"{file}: {error}", hint=error.hint) from error
    except (KeyError, ValueError, IndexError, RuntimeError, ZeroDivisionError) as error:
        words = str(error).splitlines()
        # torch lists everything that is missing, one thing a line, below a line that says no more than that.
        raise ConvertError(
            f"{file} holds another network than the published one: {' '.join(words[:2]).strip()[:300]}",
            hint="Converted is a ResNet of bottlenecks (50 layers and more) with the published attention decoder.",
        ) from error
    _compare(file, modules, network)
    if len(published.words) != network.layout.vocabulary:
        raise ConvertError(f"{file} has {len(published.words)} words and weights for {network.layout.vocabulary}")
    return published


def _modules(model: Record) -> dict[str, Record]:
    """All modules by dotted name. A module may be in the pickle twice, but not inside of itself."""
    # The object may be a module with both as children, or a plain object with both as attributes.
    inside = {**model.children(), **model.attributes}
    found: dict[str, Record] = {}
    pending = [(name, inside.get(name), 0) for name in ("encoder", "decoder")]
    while pending:
        name, module, depth = pending.pop()
        if not isinstance(module, Record) or depth > 16:
            raise ConvertError(f"{name} is no module")
        found[name] = module
        pending += [(f"{name}.{child}", below, depth + 1) for child, below in module.children().items()]
    return found


def _weights(modules: dict[str, Record]) -> dict[str, Tensor]:
    import torch

    weights = {}
    for name, module in modules.items():
        for own, tensor in module.tensors().items():
            if own == "num_batches_tracked":
                continue  # of use in training only
            if tensor.dtype != torch.float32 or not bool(torch.isfinite(tensor).all()):
                raise ConvertError(f"{name}.{own} is no tensor of finite float32 numbers")
            weights[f"{name}.{own}"] = tensor.contiguous()
    return weights


def _words(word_map: object) -> tuple[str, ...]:
    if not isinstance(word_map, dict) or not all(isinstance(word, str) for word in word_map):
        raise ConvertError("word_map is no map from words to indices")
    if sorted(word_map.values()) != list(range(len(word_map))):
        raise ConvertError("word_map does not number its words from 0 on")
    words = tuple(sorted(word_map, key=word_map.__getitem__))
    missing = [word for word in (PAD, UNKNOWN, START, END) if word not in word_map]
    if missing or words[0] != PAD:
        raise ConvertError(f"word_map lacks {missing[0] if missing else f'{PAD} at its beginning'}")
    return words


def _compare(file: Path, modules: dict[str, Record], network: Network) -> None:
    ours = dict(network.named_modules())
    for name, module in modules.items():
        for attribute in SAYING.get(module.kind, ()):
            said, done = module.attributes.get(attribute), getattr(ours.get(name), attribute, None)
            if _pair(said) != _pair(done) and attribute not in ("padding_idx",):
                raise ConvertError(f"{file}: {name} has {attribute} {said}, the published network has {done}")


def _pair(value: object) -> object:
    return (value, value) if type(value) is int else value
