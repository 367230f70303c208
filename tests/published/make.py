"""Makes a pickle of the published format with random weights: `python -m tests.published.make small model.pickle`.

Random weights alone say the same of every picture. So batch norm is calibrated on pictures, and the decoder
learns one of a few sentences for each: captions have real lengths, differ, and are no coin tosses.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import torch
from captioner.torch_network import resnet_class
from convert.pictures import synthetic
from torch import Tensor, nn

from tests.published import under_published_names
from tests.published.caption import ImageToWordModel, preprocess
from tests.published.models import DecoderWithAttention, Encoder

if TYPE_CHECKING:
    from PIL import Image

VOCABULARY = {"full": 9490, "small": 60}
LAYERS = {"full": (3, 4, 23, 3), "small": (1, 2, 1, 1)}
WIDTH = {"full": 64, "small": 16}  # of a bottleneck, as torchvision's width_per_group
DIMENSIONS = {"full": 512, "small": 24}  # of attention, words and state
SENTENCES = 8


def make(size: str, *, seed: int = 0, pictures: int = 16, steps: int = 100) -> ImageToWordModel:
    """A model that says one of `SENTENCES` sentences about each of the pictures it was made with."""
    torch.manual_seed(seed)
    encoder = Encoder(_resnet(size))
    count = VOCABULARY[size]
    words = ["<pad>", *(f"w{i}" for i in range(1, count - 3)), "<unk>", "<start>", "<end>"]
    width = DIMENSIONS[size]
    # Not square on purpose in small: sizes that are mixed up would not fit.
    decoder = DecoderWithAttention(width, width + (size == "small"), width + 2 * (size == "small"), count)
    model = ImageToWordModel(encoder, decoder, {word: index for index, word in enumerate(words)})
    features = _calibrate(encoder, synthetic(pictures, seed=1))
    _teach(decoder, features, count, seed, steps)
    return model.eval()


def _resnet(size: str) -> nn.Module:
    resnet, bottleneck = resnet_class()
    network: nn.Module = resnet(bottleneck, list(LAYERS[size]), width_per_group=WIDTH[size])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Trained ones are anything but 1 and 0, and a converter that forgets them should be noticed.
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            module.momentum = None  # a plain mean
    return network


@torch.no_grad()
def _calibrate(encoder: Encoder, images: list[Image.Image]) -> Tensor:
    """Sets batch norm's statistics; returns the features [n, 64, 2048]."""
    encoder.train()
    batch = torch.cat([preprocess(image) for image in images])
    for part in torch.split(batch, 8):
        encoder(part)
    encoder.eval()
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1  # as torchvision has it
    # Without the pool: a third of the points with all that is in them.
    return torch.cat([encoder.resnet(part).flatten(2).transpose(1, 2) for part in torch.split(batch, 8)])


def _teach(decoder: DecoderWithAttention, features: Tensor, count: int, seed: int, steps: int) -> None:
    _attune(decoder, features)
    rng = random.Random(seed)  # noqa: S311
    start, end = count - 2, count - 1
    common = [rng.randrange(1, count - 3) for _ in range(40)]
    sentences = [[start, *(rng.choice(common) for _ in range(rng.randint(6, 12))), end] for _ in range(SENTENCES)]
    said = [sentences[i % SENTENCES] for i in range(len(features))]
    longest = max(map(len, said))
    words = torch.tensor([[*one, *([0] * (longest - len(one)))] for one in said])
    # What takes features in stays as `_attune` made it: one step of Adam on 2,048 large numbers would drown the rest.
    lstm = decoder.decode_step
    own = (torch.arange(lstm.weight_ih.shape[1]) < decoder.embed_dim).float()
    learning = [*decoder.embedding.parameters(), *decoder.fc.parameters(), *lstm.parameters()]
    optimizer = torch.optim.Adam(learning, lr=2e-2 if count < 1000 else 4e-3)
    decoder.eval()  # without dropout: nothing is to be generalised
    with torch.no_grad():
        projection = decoder.attention.encoder_att(features)  # once, where the published loop does it every word
    for step in range(steps):
        h, c = decoder.init_hidden_state(features)
        loss = torch.zeros(())
        for position in range(longest - 1):
            seen = torch.relu(projection + decoder.attention.decoder_att(h)[:, None])
            alpha = torch.softmax(decoder.attention.full_att(seen), 1)
            gated = torch.sigmoid(decoder.f_beta(h)) * (alpha.transpose(1, 2) @ features)[:, 0]
            h, c = decoder.decode_step(torch.cat((decoder.embedding(words[:, position]), gated), 1), (h, c))
            scores = decoder.fc(decoder.dropout(h))
            loss = loss + nn.functional.cross_entropy(scores, words[:, position + 1], ignore_index=0, reduction="sum")
        loss = loss / int((words[:, 1:] > 0).sum())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        lstm.weight_ih.grad = own * lstm.weight_ih.grad if lstm.weight_ih.grad is not None else None
        nn.utils.clip_grad_norm_(learning, 5)
        optimizer.step()
        if step % 10 == 0 or step == steps - 1:
            print(f"step {step} loss {loss.item():.3f}", file=sys.stderr, flush=True)
        if loss.item() < 0.2:
            break


@torch.no_grad()
def _attune(decoder: DecoderWithAttention, features: Tensor) -> None:
    """Makes the decoder see what differs: random features have a large part that all pictures share."""
    for layer, seen in (
        (decoder.init_h, features.mean(1)),
        (decoder.init_c, features.mean(1)),
        (decoder.attention.encoder_att, features.flatten(0, 1)),
    ):
        mean, deviation = seen.mean(0), seen.std(0) + 1e-3
        layer.weight.copy_(torch.randn_like(layer.weight) / deviation / layer.in_features**0.5)
        layer.bias.copy_(-layer.weight @ mean)
    context = decoder.decode_step.weight_ih[:, decoder.embed_dim :]
    context.copy_(torch.randn_like(context) / features.square().mean(1).sum(1).mean().sqrt())


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a pickle of the published format.")
    parser.add_argument("size", choices=tuple(VOCABULARY))
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model = make(arguments.size, seed=arguments.seed)
    under_published_names()
    joblib.dump(model, arguments.file)


if __name__ == "__main__":
    main()
