"""Between lambdacap and the local cloud: knows each AWS call by its name, and answers some of them as AWS would."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.session
import requests

ALWAYS = 10**6
"""As often as it is asked: who waits without sleeping asks hundreds of times a second."""
_DROPPED = {"connection", "content-length", "date", "server", "transfer-encoding"}


def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """A REST service's operations as (method, path, name), the longest path first."""
    model = botocore.session.get_session().get_service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = http["requestUri"].partition("?")[0].rstrip("/")
        pattern = re.sub(r"\\{\w+(\\\+)?\\}", "[^/]+", re.escape(path))
        found.append((http["method"], re.compile(f"{pattern}/?"), name))
    return sorted(found, key=lambda route: -len(route[1].pattern))


_REST = {service: _routes(service) for service in ("lambda", "apigateway")}


def operation(method: str, path: str, headers: dict[str, str], body: bytes) -> str:
    """The name of the call that a request is, or an empty one when it is none of AWS's."""
    if "x-amz-target" in headers:
        service, _, name = headers["x-amz-target"].rpartition(".")
        # API Gateway has a GetResources, too.
        return f"tag:{name}" if service.startswith("ResourceGroupsTaggingAPI") else name
    signed = re.search(r"Credential=[^/]+/\d+/[^/]+/(\w+)/", headers.get("authorization", ""))
    if signed and signed[1] in _REST:
        place = urlsplit(path).path
        return next((name for verb, p, name in _REST[signed[1]] if verb == method and p.fullmatch(place)), "")
    return parse_qs(body.decode("latin-1")).get("Action", [""])[0] if signed else ""


@dataclass
class Rule:
    """What becomes of the calls named `call`, `times` times after the first `after`.

    With a `status` the cloud is not asked; otherwise `change` gets its answer and returns another, or it is `lost`.
    """

    call: str
    times: int
    after: int = 0
    status: int = 0
    body: bytes = b""
    change: Callable[[Any], Any] | None = None
    lost: bool = False


@dataclass
class Proxy:
    """`calls` are the names of the calls so far, in order."""

    url: str
    rules: list[Rule] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def refuse(self, call: str, code: str, message: str = "no", *, status: int = 400, times: int = 1) -> None:
        """AWS's error, in JSON as all but the query services (IAM, STS) speak it."""
        body = json.dumps({"__type": code, "code": code, "message": message, "Message": message}).encode()
        self.rules.append(Rule(call, times, status=status, body=body))

    def answer(self, call: str, content: Any, *, times: int = 1) -> None:  # noqa: ANN401 - whatever JSON holds
        self.rules.append(Rule(call, times, status=200, body=json.dumps(content).encode()))

    def change(self, call: str, change: Callable[[Any], Any], *, times: int = 1, after: int = 0) -> None:
        """Let `change` have the parsed answer, and send on what it returns."""
        self.rules.append(Rule(call, times, after, change=change))

    def lose(self, call: str, *, times: int = 1) -> None:
        """Carry the call out, and close the connection instead of answering."""
        self.rules.append(Rule(call, times, lost=True))

    def rule(self, call: str) -> Rule | None:
        """The rule that holds for the call just made, used up by one."""
        for rule in self.rules:
            if rule.call == call and rule.times:
                if rule.after:
                    rule.after -= 1
                    return None
                rule.times -= 1
                return rule
        return None


@contextmanager
def between(upstream: str) -> Iterator[Proxy]:
    """A proxy on a free port of 127.0.0.1 in front of `upstream`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            name = operation(self.command, self.path, headers, body)
            with lock:
                proxy.calls += [name] if name else []
                rule = proxy.rule(name)
            if rule and rule.status:
                kind = {"content-type": "application/json"}
                if rule.status >= 400:
                    kind["x-amzn-errortype"] = json.loads(rule.body)["code"]
                self.send(rule.status, kind, rule.body)
                return
            sent = {key: value for key, value in headers.items() if key != "connection"}
            with requests.Session() as session:
                session.trust_env = False
                answer = session.request(self.command, upstream + self.path, headers=sent, data=body, timeout=60)
            if rule and rule.lost:
                self.close_connection = True
                return
            content = answer.content
            if rule and rule.change:
                content = json.dumps(rule.change(json.loads(content))).encode()
            kept = {key: value for key, value in answer.headers.items() if key.lower() not in _DROPPED}
            self.send(answer.status_code, kept, content)

        def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Quiet."""

    lock = threading.Lock()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        proxy = Proxy(f"http://127.0.0.1:{http.server_port}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            http.shutdown()
            thread.join()
