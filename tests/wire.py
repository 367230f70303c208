"""What goes over the wire to AWS: a proxy that passes everything on and remembers which operations it saw."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import requests

_HOP = {"transfer-encoding", "connection", "content-length", "content-encoding", "host"}


class Wire(list[str]):
    """The requests in order: `iam:GetRole` where the protocol names the operation, else `lambda:GET /path`."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""

    @property
    def writing(self) -> list[str]:
        """Whatever is not known to read."""
        return [request for request in self if not re.search(r":(Get|List|Describe|Filter|GET )", request)]


@contextmanager
def recorded(upstream: str) -> Iterator[Wire]:
    """A proxy on 127.0.0.1 in front of `upstream`; clients use its `url`."""
    wire = Wire()
    session = requests.Session()
    session.trust_env = False

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            wire.append(_operation(self.command, self.path, dict(self.headers), body))
            headers = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
            answer = session.request(self.command, upstream + self.path, data=body, headers=headers, timeout=60)
            self.send_response(answer.status_code)
            for key, value in answer.headers.items():
                if key.lower() not in _HOP:
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = pass_on  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Quiet."""

    with session, ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        wire.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield wire
        finally:
            http.shutdown()
            thread.join()


def _operation(method: str, path: str, headers: dict[str, str], body: bytes) -> str:
    """AWS's protocols say it in a header, in the body, or by method and path alone."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("Authorization", ""))
    service = scope[1] if scope else "unsigned"
    if target := headers.get("X-Amz-Target"):
        return f"{service}:{target.rpartition('.')[2]}"
    action = parse_qs(body.decode("utf-8", "replace")).get("Action") if method == "POST" else None
    return f"{service}:{action[0]}" if action else f"{service}:{method} {urlsplit(path).path}"
