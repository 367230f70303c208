"""Trains the demo model on rendered scenes: `python -m demo.train checkpoint.pt`.

Paints the scenes first, with one process a CPU, then runs over them several times, each time mirrored anew.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from demo.network import Captioner
from demo.pictures import TRAINING, VALIDATION, Pictures, normalise, paint
from demo.vocabulary import INDEX, LONGEST, MIRRORED, PAD, START, decode

VALIDATION_SCENES = 500
REPORT_STEPS = 50


def train(
    pictures: Pictures,
    *,
    epochs: int,
    check: Pictures,
    checkpoint: Path,
    batch: int = 64,
    rate: float = 2e-3,
    seed: int = 0,
) -> tuple[Captioner, list[float]]:
    """Trains a fresh model; returns it with its weights averaged, and the loss of every step.

    The weights so far go to `checkpoint` after each epoch, so that a run cut short leaves something.

    The loss is the cross-entropy of the next word, as published. Left out of the published recipe: the term
    that wants attention to visit every point, since most of a scene is ground that no word is about.
    """
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    model = Captioner()
    model.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    steps = epochs * (len(pictures.pixels) // batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.15)
    # Averaged weights are as good as many more steps at a low rate. Short runs need a short memory.
    decay = min(0.998, 1 - 10 / (steps + 10))
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]  # torch's
    losses: list[float] = []
    began = time.monotonic()
    for epoch in range(epochs):
        shuffled = order.permutation(len(pictures.pixels))
        for first in range(0, len(shuffled) - batch + 1, batch):
            chosen = shuffled[first : first + batch]
            images, captions = _mirrored(pictures.pixels[chosen], pictures.captions[chosen], order)
            # 2.5 times as fast as float32 where the CPU has AVX-512 BF16; the weights stay float32.
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(images, captions[:, :-1])
            loss = nn.functional.cross_entropy(
                logits.float().flatten(0, 1), captions[:, 1:].flatten(), ignore_index=INDEX[PAD]
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            average.update_parameters(model)
            losses.append(loss.item())
            if len(losses) % REPORT_STEPS == 0:
                recent = float(np.mean(losses[-REPORT_STEPS:]))
                print(f"step {len(losses)}/{steps}  loss {recent:.4f}  {time.monotonic() - began:.0f} s", flush=True)
        torch.save(average.module.state_dict(), checkpoint)
        share = exactly_right(average.module, check)
        print(f"epoch {epoch + 1}/{epochs}  exactly right {share:.1%} of {len(check.pixels)}", flush=True)
    trained = average.module
    assert isinstance(trained, Captioner)  # noqa: S101 (for the type checker)
    return trained.eval(), losses


def exactly_right(model: nn.Module, pictures: Pictures) -> float:
    """The share of captions that the likeliest words give back exactly."""
    assert isinstance(model, Captioner)  # noqa: S101 (for the type checker)
    training = model.training
    model.eval()
    right = 0
    for first in range(0, len(pictures.pixels), 100):
        images = torch.from_numpy(normalise(pictures.pixels[first : first + 100]))
        said = model.greedy(images, INDEX[START], LONGEST).tolist()
        true = pictures.captions[first : first + 100].tolist()
        right += sum(decode(one) == decode(other) for one, other in zip(said, true, strict=True))
    model.train(training)
    return right / len(pictures.pixels)


def _mirrored(
    pixels: NDArray[np.uint8], captions: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Half of the pictures mirrored, with "left" and "right" swapped: nothing else in a sentence changes."""
    flips = rng.random(len(pixels)) < 0.5
    pixels = np.where(flips[:, None, None, None], pixels[:, :, ::-1], pixels)
    captions = np.where(flips[:, None], np.array(MIRRORED)[captions], captions)
    images = torch.from_numpy(normalise(pixels))
    return images.contiguous(memory_format=torch.channels_last), torch.from_numpy(captions)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m demo.train", description="Train the demo model.")
    parser.add_argument("checkpoint", type=Path, help="where the weights go, a state_dict")
    parser.add_argument("--scenes", type=int, default=40_000, help="scenes to paint (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="runs over them (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="scenes a step (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of scenes, weights and order (default: %(default)s)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes that paint and threads that train"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.workers)
    began = time.monotonic()

    def progress(done: int) -> None:
        if done % 10_000 == 0:
            print(f"painted {done}/{arguments.scenes}  {time.monotonic() - began:.0f} s", flush=True)

    pictures = paint(TRAINING, arguments.scenes, seed=arguments.seed, workers=arguments.workers, progress=progress)
    check = paint(VALIDATION, VALIDATION_SCENES, seed=arguments.seed, workers=arguments.workers)
    train(
        pictures,
        epochs=arguments.epochs,
        check=check,
        checkpoint=arguments.checkpoint,
        batch=arguments.batch,
        rate=arguments.rate,
        seed=arguments.seed,
    )
    print(f"{arguments.checkpoint} after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
