"""What a function process prints goes to its log group, as Lambda does it: MiniStack sees containers' output only."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from lambdacap.local.kept import LARGEST_LOG

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

LARGEST = 256 * 1024
"""Characters of one line that are kept; CloudWatch Logs has a limit of that order."""

_sender = ThreadPoolExecutor(1, "log-stream")


class LogStream:
    """The stream of one function instance, which prints into `file`. Made in the log group with the first line."""

    def __init__(self, client: CloudWatchLogsClient, function: str, version: str, file: Path) -> None:
        self.name = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{version}]{uuid4().hex}"
        self.group = f"/aws/lambda/{function}"
        self._client = client
        self._file = file
        self._sent = file.stat().st_size if file.exists() else 0
        self._made = False

    def send(self, *more: str) -> None:
        """Send what was printed since the last time, and `more`; returns at once, since no answer waits for it."""
        with self._file.open("rb") as stream:
            stream.seek(self._sent)
            printed = stream.read()
        self._sent += len(printed)
        if self._sent > LARGEST_LOG and self._file.stat().st_size == self._sent:
            # All of it is in the log group; the process goes on at the file's new end.
            os.truncate(self._file, 0)
            self._sent = 0
        now = int(time.time() * 1000)
        lines = [line[:LARGEST] for line in printed.decode("utf-8", "replace").splitlines() if line] + [*more]
        if lines:
            _sender.submit(self._put, [{"timestamp": now, "message": line} for line in lines])

    def _put(self, events: list[Any]) -> None:
        place: Any = {"logGroupName": self.group, "logStreamName": self.name}
        try:
            if not self._made:
                self._client.create_log_stream(**place)
                self._made = True
            self._client.put_log_events(**place, logEvents=events)
        except (ClientError, BotoCoreError) as error:
            # The group was removed, or the cloud is about to stop: stderr is the cloud's own log.
            sys.stderr.write(f"{len(events)} lines of {self.group} are lost: {error}\n")
