"""The model: "Show, Attend and Tell" with soft attention, in small.

Decoder, attention and gate are the published captioner's (https://github.com/sgrvinod/a-PyTorch-Tutorial-to-Image-Captioning,
after Xu et al. 2015), under the same names. The encoder stands in for its ResNet-101 and keeps its grid of 14 × 14.

Letters in shapes: n pictures, P = 196 points of the grid, C channels of a feature, A of the attention, D of
the LSTM's state, E of a word, V words.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from demo.pictures import HEIGHT, WIDTH
from demo.scenes import COLOURS
from demo.vocabulary import INDEX, UNKNOWN, WORDS

STRIDE = 8
GRID = (HEIGHT // STRIDE, WIDTH // STRIDE)  # rows, columns


@dataclass(frozen=True, slots=True)
class Sizes:
    """How wide the model's layers are."""

    vocabulary: int = len(WORDS)
    embedding: int = 48
    features: int = 112
    attention: int = 64
    hidden: int = 192


class Residual(nn.Module):
    """Two 3×3 convolutions with a way past them: He et al. 2015, https://arxiv.org/abs/1512.03385."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class Encoder(nn.Module):
    """Pictures [n, 3, HEIGHT, WIDTH] → features [n, P, C], each of its place and of the whole scene.

    The published encoder's features see the whole photo; ours, after so few convolutions, would see a patch.
    "Left of" and "at the top" were then at chance when shapes and colours were long learned. So a coarser grid
    looks at everything and is joined to the fine one (Lin et al. 2017, https://arxiv.org/abs/1612.03144).
    """

    coordinates: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        channels = sizes.features
        self.convolutions = nn.Sequential(
            _convolution(3, 32, stride=2),
            _convolution(32, 64, stride=2),
            _convolution(64, 64),
            _convolution(64, channels, stride=2),
            Residual(channels),
        )
        # A convolution sees the same everywhere, and attention sums without regard to the place: where a
        # feature lies has to be in it (Liu et al. 2018, https://arxiv.org/abs/1807.03247).
        rows, columns = (torch.linspace(-1, 1, count) for count in GRID)
        coordinates = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))
        self.register_buffer("coordinates", coordinates[None], persistent=False)
        self.placed = _convolution(channels + 2, channels)
        self.whole = nn.Sequential(
            _convolution(channels, channels, stride=2),
            Residual(channels),
            Residual(channels),
            nn.Upsample(scale_factor=2),
        )
        self.joined = _convolution(2 * channels, channels, kernel=1)

    def forward(self, images: Tensor) -> Tensor:
        seen = self.convolutions(images)
        coordinates = self.coordinates.to(seen.dtype).expand(seen.shape[0], -1, -1, -1)
        placed = self.placed(torch.cat((seen, coordinates), 1))
        joined: Tensor = self.joined(torch.cat((placed, self.whole(placed)), 1))
        return joined.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """How much each point matters for the next word."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.encoder_att = nn.Linear(sizes.features, sizes.attention)
        self.decoder_att = nn.Linear(sizes.hidden, sizes.attention)
        self.full_att = nn.Linear(sizes.attention, 1)

    def forward(self, projection: Tensor, hidden: Tensor) -> Tensor:
        """Projected features [n or 1, P, A] and states [n, D] → shares [n, P] that sum to 1."""
        seen = torch.relu(projection + self.decoder_att(hidden)[:, None])
        return torch.softmax(self.full_att(seen)[:, :, 0], 1)


class Decoder(nn.Module):
    """Says one word after the other.

    One thing differs from the published decoder: what colour it has said, it does not hear. Else it learns that
    no "square" ever follows "yellow" (a pair that training leaves out) and says so against what it sees.
    """

    heard: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.attention = Attention(sizes)
        heard = torch.tensor([INDEX[UNKNOWN] if word in COLOURS else INDEX[word] for word in WORDS])
        self.register_buffer("heard", heard, persistent=False)
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.embedding)
        self.decode_step = nn.LSTMCell(sizes.embedding + sizes.features, sizes.hidden)
        self.init_h = nn.Linear(sizes.features, sizes.hidden)
        self.init_c = nn.Linear(sizes.features, sizes.hidden)
        self.f_beta = nn.Linear(sizes.hidden, sizes.features)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(sizes.hidden, sizes.vocabulary)

    def begin(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The LSTM's first state from the features [n, P, C]: hidden and cell, both [n, D]."""
        mean = features.mean(1)
        return self.init_h(mean), self.init_c(mean)

    def step(
        self, word: Tensor, hidden: Tensor, cell: Tensor, features: Tensor, projection: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One word [n] → logits [n, V], attention [n, P], hidden and cell [n, D].

        The features may be one picture's for all n words, as beams have it.
        """
        attention = self.attention(projection, hidden)
        context = (attention[:, None] @ features)[:, 0]
        gated = torch.sigmoid(self.f_beta(hidden)) * context
        hidden, cell = self.decode_step(torch.cat((self.embedding(self.heard[word]), gated), 1), (hidden, cell))
        return self.fc(self.dropout(hidden)), attention, hidden, cell


class Captioner(nn.Module):
    """Encoder and decoder."""

    def __init__(self, sizes: Sizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or Sizes()
        self.encoder = Encoder(self.sizes)
        self.decoder = Decoder(self.sizes)

    def forward(self, images: Tensor, captions: Tensor) -> Tensor:
        """Logits [n, T, V] for the words that follow each of captions [n, T], the true ones being fed."""
        features = self.encoder(images)
        projection = self.decoder.attention.encoder_att(features)
        hidden, cell = self.decoder.begin(features)
        logits = []
        for word in captions.unbind(1):
            said, _, hidden, cell = self.decoder.step(word, hidden, cell, features, projection)
            logits.append(said)
        return torch.stack(logits, 1)

    @torch.inference_mode()
    def greedy(self, images: Tensor, start: int, steps: int) -> Tensor:
        """The likeliest word after each word, [n, steps]. Quicker than a beam: for a look while training."""
        features = self.encoder(images)
        projection = self.decoder.attention.encoder_att(features)
        hidden, cell = self.decoder.begin(features)
        word = torch.full((len(images),), start)
        words = []
        for _ in range(steps):
            logits, _, hidden, cell = self.decoder.step(word, hidden, cell, features, projection)
            word = logits.argmax(1)
            words.append(word)
        return torch.stack(words, 1)


def _convolution(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
