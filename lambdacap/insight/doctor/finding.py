"""One line of the diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lambdacap.errors import LambdacapError

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis: `level` is ok, warn or fail; a deploy would end at a fail."""

    check: str
    level: str
    detail: str
    hint: str = ""


def tried(check: str, look: Callable[[], Iterator[Finding]], level: str = WARN) -> Iterator[Finding]:
    """The findings of `look`; an error ends it as a finding of `level`."""
    try:
        yield from look()
    except LambdacapError as error:
        yield Finding(check, level, error.message, error.hint)
    except OSError as error:
        yield Finding(check, WARN, f"could not be found out: {error}")
