"""Python processes that lambdacap starts: which modules they find, and what they see of the user's environment.

A folder may be a stranger's, with a `json.py` in it, so the current folder is nobody's path to modules; and of the
variables, which hold keys and tokens, go along only those that are known to hold none.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

INHERITED = (
    *("HOME", "PATH", "TMPDIR", "TZ", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"),
    *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "SYSTEMROOT"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
)
"""Variables that a child gets as they are: no credential, no setting of AWS, no proxy (its address may hold a
password), nothing that makes Python run a file."""


def python(module: str, *arguments: object, by: Path | None = None) -> list[str]:
    """The command line that runs `module`, which is looked for everywhere but in the current folder.

    `by` another interpreter than this one, which has to be of Python 3.11 or newer.
    """
    return [str(by or sys.executable), "-P", "-m", module, *map(str, arguments)]


def environment(environ: Mapping[str, str], path: Sequence[Path] = (), **ours: str) -> dict[str, str]:
    """The child's variables: what it may have of `environ`, then `ours`.

    `path` are the folders with its modules, beside those of the interpreter. Its own children do without the current
    folder too.
    """
    inherited = {name: environ[name] for name in INHERITED if name in environ}
    found = {"PYTHONPATH": ":".join(str(folder.absolute()) for folder in path)} if path else {}
    return {**inherited, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1", **found, **ours}
