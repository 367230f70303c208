"""Says of a predictor whether it can be served: run in its environment before anything is deployed.

The current folder is the function's. Prints one line of JSON: `{"inputs": {name: kind}}`, or `{"error": {…}}` with what
is wrong, and where in the project's own files. What the predictor prints goes to stderr.
"""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answers.write(json.dumps(look()) + "\n")
    answers.flush()


def look() -> dict[str, Any]:
    """What there is to say of the module `predictor`."""
    try:
        import predictor  # type: ignore[import-not-found, unused-ignore]
    except BaseException as error:  # noqa: BLE001 - whatever stops the import is the answer
        return {"error": {"kind": "import", **told(error)}}
    from serving.contract import contract
    from serving.openapi import document
    from serving.wire import HintError

    try:
        found = contract(predictor)
        json.dumps(document(found))
    except HintError as error:
        return {"error": {"kind": "hint", "message": str(error)}}
    except Exception as error:  # noqa: BLE001 - a hint's own class, as it is asked
        return {"error": {"kind": "hint", "message": f"{type(error).__name__}: {error}"}}
    inputs = {name: given.kind for name, given in found.inputs.items()}
    sound = next((name for name, kind in inputs.items() if kind == "sound"), None)
    if sound and not find_spec("soundfile"):
        message = f"{sound}: sound is read by soundfile, which is not installed; add it to requirements.txt"
        return {"error": {"kind": "hint", "message": message}}
    return {"inputs": inputs}


def told(error: BaseException) -> dict[str, Any]:
    """An exception in words, with the last of the project's own lines that it came through."""
    where: dict[str, Any] = {}
    if isinstance(error, SyntaxError) and error.filename:
        where = place(error.filename, error.lineno)
    trace = error.__traceback__
    while trace is not None:
        where = place(trace.tb_frame.f_code.co_filename, trace.tb_lineno) or where
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        where = place(error.filename, error.lineno) or where
    module = error.name if isinstance(error, ModuleNotFoundError) else None
    words = error.msg if isinstance(error, SyntaxError) else str(error)
    return {"message": f"{type(error).__name__}: {words}"[:2000], "module": module, **where}


def place(file: str, line: int | None) -> dict[str, Any]:
    """File and line, of the function's folder alone; nothing elsewhere."""
    here = Path.cwd()
    path = Path(file) if Path(file).is_absolute() else here / file
    inside = path.is_relative_to(here) and "serving" not in path.relative_to(here).parts[:1]
    return {"file": str(path.relative_to(here)), "line": line} if inside else {}


if __name__ == "__main__":
    main()
