"""The published network in PyTorch: the reference, and what `--runtime torch` serves.

Names of modules and weights are the published ones, after Xu et al. 2015 (https://arxiv.org/abs/1502.03044) and
https://github.com/sgrvinod/a-PyTorch-Tutorial-to-Image-Captioning.

Letters in shapes: P = 14 × 14 points of the grid, C channels of a feature, A of the attention, D of the LSTM's
state, E of a word, V words, k beams.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping

GRID = 14  # points a side; the pool has no weights that would say it


@dataclass(frozen=True, slots=True)
class Layout:
    """How large the network's parts are, as its weights say.

    `blocks`: bottlenecks in each of the ResNet's four stages. `groups` and `width_per_group` tell ResNeXt and
    wide ResNets from plain ones (1 and 64).
    """

    blocks: tuple[int, int, int, int]
    groups: int
    width_per_group: int
    features: int  # C
    attention: int  # A
    hidden: int  # D
    embedding: int  # E
    vocabulary: int  # V

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> Layout:
        """Reads it off the shapes of `Network.state_dict()`. Raises `KeyError`, `ValueError` if they do not fit."""
        # encoder.resnet is a Sequential: 4 to 7 are torchvision's layer1 to layer4.
        first, second, third, fourth = (_blocks(weights, f"encoder.resnet.{stage}.") for stage in range(4, 8))
        width, inner = weights["encoder.resnet.4.0.conv2.weight"].shape[:2]
        groups = width // inner
        return cls(
            blocks=(first, second, third, fourth),
            groups=groups,
            width_per_group=width // groups,
            features=weights["decoder.attention.encoder_att.weight"].shape[1],
            attention=weights["decoder.attention.encoder_att.weight"].shape[0],
            hidden=weights["decoder.decode_step.weight_hh"].shape[1],
            embedding=weights["decoder.embedding.weight"].shape[1],
            vocabulary=weights["decoder.embedding.weight"].shape[0],
        )


def _blocks(weights: Mapping[str, Tensor], stage: str) -> int:
    """How many blocks a stage has: as many as there are weights of, whatever numbers their names say."""
    found = {name.split(".")[3] for name in weights if name.startswith(stage)}
    if not found or found != {str(index) for index in range(len(found))}:
        raise ValueError(f"the blocks of {stage}* are not numbered from 0 on")
    return len(found)


class Encoder(nn.Module):
    """Pictures [n, 3, H, W] → features [n, P, C]."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        resnet, bottleneck = resnet_class()
        trained = resnet(bottleneck, list(layout.blocks), groups=layout.groups, width_per_group=layout.width_per_group)
        self.resnet = nn.Sequential(*list(trained.children())[:-2])
        self.adaptive_pool = nn.AdaptiveAvgPool2d((GRID, GRID))

    def forward(self, images: Tensor) -> Tensor:
        pooled: Tensor = self.adaptive_pool(self.resnet(images))
        return pooled.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """How much each point matters for the next word."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.encoder_att = nn.Linear(layout.features, layout.attention)
        self.decoder_att = nn.Linear(layout.hidden, layout.attention)
        self.full_att = nn.Linear(layout.attention, 1)

    def forward(self, projection: Tensor, hidden: Tensor) -> Tensor:
        """Projected features [1, P, A] and states [k, D] → shares [k, P] that sum to 1."""
        seen = torch.relu(projection + self.decoder_att(hidden)[:, None])
        return torch.softmax(self.full_att(seen)[:, :, 0], 1)


class Decoder(nn.Module):
    """Says one word after the other."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.attention = Attention(layout)
        self.embedding = nn.Embedding(layout.vocabulary, layout.embedding)
        self.decode_step = nn.LSTMCell(layout.embedding + layout.features, layout.hidden)
        self.init_h = nn.Linear(layout.features, layout.hidden)
        self.init_c = nn.Linear(layout.features, layout.hidden)
        self.f_beta = nn.Linear(layout.hidden, layout.features)
        self.fc = nn.Linear(layout.hidden, layout.vocabulary)

    def begin(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The LSTM's first state from the features [1, P, C]: hidden and cell, both [1, D]."""
        mean = features.mean(1)
        return self.init_h(mean), self.init_c(mean)

    def step(
        self, word: Tensor, hidden: Tensor, cell: Tensor, features: Tensor, projection: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One word [k] of one picture's beams → log-probabilities [k, V], attention [k, P], hidden, cell [k, D]."""
        attention = self.attention(projection, hidden)
        context = attention @ features[0]
        gated = torch.sigmoid(self.f_beta(hidden)) * context
        hidden, cell = self.decode_step(torch.cat((self.embedding(word), gated), 1), (hidden, cell))
        return torch.log_softmax(self.fc(hidden), 1), attention, hidden, cell


class Network(nn.Module):
    """Encoder and decoder, for inference."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        self.encoder = Encoder(layout)
        self.decoder = Decoder(layout)

    @classmethod
    def loaded(cls, weights: Mapping[str, Tensor]) -> Network:
        """The network with these weights, not copied. Raises `KeyError`, `RuntimeError` if they do not fit."""
        with torch.device("meta"):  # nothing is filled with random numbers only to be thrown away
            network = cls(Layout.of(weights))
        network.load_state_dict(weights, assign=True)
        return network.eval().requires_grad_(False)


def resnet_class() -> tuple[Any, Any]:
    """torchvision's `ResNet` and `Bottleneck`, also where torchvision's compiled operators are missing.

    Its wheel on PyPI is built for CUDA and dies beside a CPU build of torch with "operator torchvision::nms does
    not exist". Its models need none of these operators; that the names exist is enough.
    """
    try:
        from torchvision.models.resnet import Bottleneck, ResNet
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]
        _KEPT.append(library)  # its end would be theirs
        from torchvision.models.resnet import Bottleneck, ResNet
    return ResNet, Bottleneck


_KEPT: list[torch.library.Library] = []
