"""A function process: loads the handler as Lambda's runtime would, then answers events, one a line.

Run as a script in the image's folder, never imported: it must see no more of lambdacap than a container
would. Events come on stdin as `{"event": …, "context": {…}}`, results leave on the original stdout as
`{"result": …}` or `{"error": {…}}`. What the handler prints goes to stderr, which is its log.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Context:
    """The part of Lambda's context object that handlers use (Lambda's guide: Python context object)."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    deadline: float

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.time()) * 1000))


def failure(error: BaseException) -> dict[str, object]:
    """An exception in the shape in which Lambda reports it."""
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def end_with(lifeline: int) -> None:
    """Kill this process and all that it has started once the other end of the pipe is closed, whatever runs then."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    threading.Thread(target=end_with, args=[int(sys.argv[1])], daemon=True).start()
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # A script's own folder comes first on the path; a container has no such folder.
    sys.path[0] = os.getcwd()  # noqa: PTH109
    module, _, function = os.environ["_HANDLER"].rpartition(".")

    def send(message: dict[str, Any]) -> None:
        results.write(json.dumps(message).encode() + b"\n")
        results.flush()

    try:
        handle = getattr(importlib.import_module(module), function)
    except BaseException as error:  # noqa: BLE001 - whatever stops the import is the answer
        traceback.print_exc()
        send({"error": failure(error)})
        return
    send({"ready": True})
    for line in sys.stdin.buffer:
        message = json.loads(line)
        try:
            answer = json.dumps({"result": handle(message["event"], Context(**message["context"]))})
        except Exception as error:  # noqa: BLE001 - the handler's errors are results
            traceback.print_exc()
            send({"error": failure(error)})
        else:
            results.write(answer.encode() + b"\n")
            results.flush()


if __name__ == "__main__":
    main()
