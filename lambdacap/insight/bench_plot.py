"""A measurement as a picture: where the time goes, how it spreads, and what memory sizes cost. SVG, light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from lambdacap.aws.prices import Prices
from lambdacap.errors import SettingsError
from lambdacap.insight.bench import PHASES, Sample

WIDTH, ROW, LEFT, RIGHT = 860, 34, 176, 164
_SPAN = WIDTH - LEFT - RIGHT
_COLOURS = {
    "network": "#9aa5b1",
    "gateway": "#6b7785",
    "lambda": "#3d4852",
    "init": "#e3a008",
    "decode": "#5eb1bf",
    "encode": "#2f6fbf",
    "beam": "#7a4fbf",
    "predict": "#2f8f5b",
    "rest": "#c5ccd3",
}
_CHOSEN, _OTHERS = "#2f6fbf", "#9aa5b1"
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2933}.t{font-size:16px;font-weight:600}.s{fill:#52606d}"
    ".n{text-anchor:end}.g{stroke:#8886}.b{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.s{fill:#9aa5b1}.b{fill:#16191d}}"
)


def write(file: Path, title: str, samples: Sequence[Sample], prices: Prices, best: int | None) -> None:
    """Draw `samples` into `file`. Raises `SettingsError` when it cannot be written."""
    try:
        file.write_text(draw(title, samples, prices, best), "utf-8")
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}") from error


def check(file: Path) -> None:
    """Raise `SettingsError` for a file that could not be written once all is measured."""
    if file.suffix.lower() != ".svg":
        raise SettingsError(f"the plot cannot be written as {file}", hint="End its name in .svg.")
    if not file.parent.is_dir():
        raise SettingsError(f"there is no folder {file.parent} for the plot {file.name}", hint="Make it first.")


def draw(title: str, samples: Sequence[Sample], prices: Prices, best: int | None) -> str:
    """The SVG; `best` is the memory size to choose, if any."""
    height, parts = 44, [_text(16, 28, title, "t")]
    for group, words in (("cold", "Cold start"), ("warm", "Warm")):
        chosen = [sample for sample in samples if sample.cold == (group == "cold")]
        if chosen:
            parts += _bars(height, words, chosen)
            height += 46 + ROW * len(chosen)
    parts += _legend(height, samples)
    height += 40
    sizes = [sample for sample in samples if not sample.cold and sample.way == "direct"]
    if len(sizes) > 1:
        parts += _costs(height, sizes, best, prices)
        height += 54 + ROW * len(sizes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}"><style>{_STYLE}</style>'
        f'<rect class="b" width="{WIDTH}" height="{height}" rx="8"/>{"".join(parts)}</svg>\n'
    )


def _bars(top: int, words: str, samples: Sequence[Sample]) -> Iterator[str]:
    """A bar a sample: the median's phases, and a line to p95. Cold and warm have scales of their own."""
    most = max(sample.at(95) for sample in samples)
    yield _text(16, top + 24, f"{words}: median by phase, line to p95", "s")
    for number, sample in enumerate(samples):
        y = top + 38 + ROW * number
        way = "gateway" if sample.way == "gateway" else "direct"
        callers = f" × {sample.concurrency}" if sample.concurrency > 1 else ""
        yield _text(LEFT - 12, y + 15, f"{sample.memory} MB, {way}{callers}", "n")
        # The medians of the phases do not add up to the median of the whole; drawn in its length.
        took = sample.phases
        scale = _SPAN / most * sample.at(50) / (sum(took.values()) or 1)
        x = float(LEFT)
        for phase, spent in took.items():
            width = spent * scale
            yield (
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="22" fill="{_COLOURS[phase]}">'
                f"<title>{phase} {spent:.1f} ms</title></rect>"
            )
            x += width
        end = LEFT + sample.at(95) * _SPAN / most
        yield f'<path class="g" d="M{x:.1f} {y + 11}H{end:.1f}M{end:.1f} {y + 5}v12"/>'
        yield _text(end + 8, y + 16, f"{_time(sample.at(50))}, p95 {_time(sample.at(95))}")


def _legend(top: int, samples: Sequence[Sample]) -> Iterator[str]:
    x = LEFT
    for phase in PHASES:
        if any(sample.phases.get(phase, 0) > 0.05 for sample in samples):
            yield f'<rect x="{x}" y="{top + 9}" width="11" height="11" rx="2" fill="{_COLOURS[phase]}"/>'
            yield _text(x + 16, top + 19, phase, "s")
            x += 34 + 7 * len(phase)


def _costs(top: int, sizes: Sequence[Sample], best: int | None, prices: Prices) -> Iterator[str]:
    dearest = max(sample.cost(prices) for sample in sizes)
    yield _text(16, top + 24, "Dollars for 1,000 warm captions", "s")
    for number, sample in enumerate(sizes):
        y, cost = top + 38 + ROW * number, sample.cost(prices)
        end = LEFT + cost / dearest * _SPAN
        yield _text(LEFT - 12, y + 15, f"{sample.memory} MB", "n")
        yield (
            f'<rect x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="22" '
            f'fill="{_CHOSEN if sample.memory == best else _OTHERS}"/>'
        )
        words = f"${cost:.{_digits(dearest)}f}" + (", to choose" if sample.memory == best else "")
        yield _text(end + 8, y + 16, words)


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(words)}</text>'


def _time(milliseconds: float) -> str:
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.2f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 20 else f"{milliseconds:.1f} ms"


def _digits(dollars: float) -> int:
    return max(2, 2 - math.floor(math.log10(dollars))) if dollars > 0 else 2
