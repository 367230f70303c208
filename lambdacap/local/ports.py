"""Nothing but the guard listens: what MiniStack would open beside it is refused.

Its services open ports when signed calls ask for them, most of them to the whole network: proxies of databases, the
runtimes of functions that are zip files, containers of caches, clusters and tasks. None of them knows the guard. To the
service that asks it looks as if the system did not allow it, or as if there were no engine; it then keeps its word on
paper only.
"""

from __future__ import annotations

import errno
import socket
import sys


def close() -> None:
    """From now on no socket of this process can be bound to a network's address; those that are bound stay."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    # The event comes before the call, whoever makes it, and what is raised here ends it (PEP 578).
    if event == "socket.bind" and getattr(arguments[0], "family", None) != socket.AF_UNIX:
        raise PermissionError(errno.EACCES, "only the local cloud's guard listens here")
