"""The object in the published pickle, and its beam search: plain, with gradients on, every picture on its own.

In the pickle its module is the top-level `caption` (see `tests.published`). Two things are not as published, since
they crash there: a search without an ended beam gives the best unfinished one, and grey pictures are made RGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image, ImageOps
from torch import Tensor, nn

from tests.published.models import DecoderWithAttention, Encoder

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass
class Said:
    """What one picture came to."""

    words: list[str]
    alphas: list[list[float]]
    score: float


class ImageToWordModel(nn.Module):
    """Encoder, decoder and both word maps."""

    def __init__(self, encoder: Encoder, decoder: DecoderWithAttention, word_map: dict[str, int]) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.word_map = word_map
        self.rev_word_map = {index: word for word, index in word_map.items()}

    def forward(self, image: Image.Image, beam_size: int = 3) -> Said:
        return self.search(preprocess(image), beam_size)

    def search(self, tensor: Tensor, k: int) -> Said:
        """`caption_image_beam_search` of the published code."""
        start, end, width = self.word_map["<start>"], self.word_map["<end>"], len(self.word_map)
        encoder_out = self.encoder(tensor)
        encoder_out = encoder_out.reshape(1, -1, encoder_out.size(3))
        encoder_out = encoder_out.expand(k, encoder_out.size(1), encoder_out.size(2))
        h, c = self.decoder.init_hidden_state(encoder_out)
        words = torch.full((k,), start)
        seqs = words.unsqueeze(1)
        alphas = torch.ones(k, 1, encoder_out.size(1))
        top = torch.zeros(k, 1)
        complete: list[tuple[float, list[int], list[list[float]]]] = []
        for step in range(50):
            scores, alpha, h, c = self.decoder.step(words, encoder_out, h, c)
            scores = top.expand(k, width) + F.log_softmax(scores, dim=1)
            best, indices = (scores[0] if step == 0 else scores.view(-1)).topk(k)
            parents, words = indices // width, indices % width
            seqs = torch.cat([seqs[parents], words.unsqueeze(1)], dim=1)
            alphas = torch.cat([alphas[parents], alpha[parents].unsqueeze(1)], dim=1)
            going = [i for i, word in enumerate(words.tolist()) if word != end]
            ended = sorted(set(range(k)) - set(going))
            complete += [(float(best[i]), seqs[i].tolist(), alphas[i].tolist()) for i in ended]
            k = len(going)
            if k == 0:
                break
            seqs, alphas, words = seqs[going], alphas[going], words[going]
            h, c, encoder_out = h[parents[going]], c[parents[going]], encoder_out[parents[going]]
            top = best[going].unsqueeze(1)
        if not complete:
            complete = [(float(top[0]), seqs[0].tolist(), alphas[0].tolist())]
        score, seq, grids = max(complete, key=lambda one: one[0])
        unsaid = {self.word_map[word] for word in ("<start>", "<end>", "<pad>", "<unk>")}
        said = [(self.rev_word_map[i], g) for i, g in zip(seq, grids, strict=True) if i not in unsaid]
        return Said([word for word, _ in said], [grid for _, grid in said], score)


def preprocess(image: Image.Image) -> Tensor:
    """As published: upright, 256 × 256, ImageNet's mean and deviation, [1, 3, 256, 256]."""
    image = (ImageOps.exif_transpose(image) or image).convert("RGB").resize((256, 256))
    tensor = torch.from_numpy(np.asarray(image).transpose(2, 0, 1)[:3] / 255.0).float()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return ((tensor - mean) / std).unsqueeze(0)
