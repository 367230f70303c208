"""How many threads to compute with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MEGABYTES_PER_CPU = 1769  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html


def threads(environ: Mapping[str, str], cpus: int | None) -> int:
    """How many threads to compute with.

    On Lambda the memory says it: CPU time comes in proportion to it, while the number of CPUs that a function
    sees is 2 or more whatever it is granted. A CPU that is granted in part has a thread, too: with 1.2 to 1.7 CPUs
    two threads take a fifth to a third less time than one. Elsewhere at most 4, so that a laptop stays usable.
    """
    memory = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    if memory.isdecimal():
        return max(1, -(-int(memory) // MEGABYTES_PER_CPU))
    return max(1, min(4, cpus or 1))
