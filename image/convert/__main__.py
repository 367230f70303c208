"""`python -m convert model.pickle -o DIR`: a model bundle from the published weights."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see captioner.torch_backend

MEMORY = 8 << 30
"""Bytes for libraries and their threads' stacks on machines with many cores, beside copies of the weights."""

MINUTES = 60.0
"""By the clock: the published model takes one or two, on a machine with two cores."""


def main(arguments: list[str] | None = None) -> int:
    """The command line; the exit code is 1 for what is expected to go wrong, with one line that says what."""
    options = _parser().parse_args(arguments)
    try:
        # After the arguments are known to be right: these take seconds to import.
        from convert.bundle import Wishes, convert
        from convert.errors import ConvertError, shown
        from convert.limits import limited
    except ImportError as error:
        return _fail(options, f"{error.name} is not installed", "Install lambdacap's extra `model`.")
    try:
        wishes = Wishes(
            runtime=options.runtime,
            quantize=options.quantize,
            calibration=options.calibration,
            pictures=options.pictures,
            name=options.name,
        )
        size = options.model.stat().st_size if options.model.is_file() else 0
        progress = _json_progress if options.json else _text_progress
        with limited(memory=MEMORY + 16 * size, minutes=MINUTES):
            manifest = convert(options.model, options.output, wishes, progress)
    except ConvertError as error:
        return _fail(options, str(error) if options.json else shown(str(error), 1000), error.hint)
    except ImportError as error:
        return _fail(options, f"{error.name} is not installed", "Install lambdacap's extra `model`.")
    _say({"bundle": str(options.output), "model": manifest} if options.json else f"{options.output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m convert", description=__doc__)
    parser.add_argument("model", type=Path, help="the published model.pickle")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the bundle", metavar="DIR")
    parser.add_argument("--runtime", choices=("onnx", "torch"), default="onnx", help="what computes (%(default)s)")
    parser.add_argument("--quantize", choices=("int8",), help="8-bit weights: faster, but some captions change")
    parser.add_argument("--calibration", type=Path, help="pictures that int8 takes its ranges from", metavar="DIR")
    parser.add_argument("--pictures", type=Path, help="pictures for the parity report", metavar="DIR")
    parser.add_argument("--name", help="what the model calls itself")
    parser.add_argument("--json", action="store_true", help="progress and result as one JSON object a line")
    return parser


def _text_progress(what: str, done: int, total: int) -> None:
    if not total or done in (1, total):
        sys.stderr.write(what + (f": {done} of {total}" if total else "") + "\n")


def _json_progress(what: str, done: int, total: int) -> None:
    _say({"progress": what, "done": done, "total": total})


def _fail(options: argparse.Namespace, message: str, hint: str) -> int:
    if options.json:
        _say({"error": message, "hint": hint})
    else:
        sys.stderr.write(f"error: {message}\n" + (f"hint:  {hint}\n" if hint else ""))
    return 1


def _say(line: dict[str, Any] | str) -> None:
    sys.stdout.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
