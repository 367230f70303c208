"""Between lambdacap and the local cloud: knows each AWS call by its name, and answers some of them as AWS would."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.calls import Operation, operation
from tests.servers import Asked, Handler, Reply, forwarded, listening

ALWAYS = 10**6
"""As often as it is asked: who waits without sleeping asks hundreds of times a second."""


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


def _name(call: Operation | None) -> str:
    """The tagging API's calls are told from API Gateway's, which has a GetResources too."""
    if call is None:
        return ""
    return f"tag:{call.name}" if call.service == "tagging" else call.name


@contextmanager
def between(upstream: str) -> Iterator[Proxy]:
    """A proxy on a free port of 127.0.0.1 in front of `upstream`."""

    class Between(Handler):
        def respond(self, asked: Asked) -> None:
            name = _name(operation(asked))
            with lock:
                proxy.calls += [name] if name else []
                rule = proxy.rule(name)
            if rule and rule.status:
                kind = [("Content-Type", "application/json")]
                if rule.status >= 400:
                    kind.append(("x-amzn-errortype", json.loads(rule.body)["code"]))
                self.send(Reply(rule.status, kind, rule.body))
                return
            reply = forwarded(upstream, asked)
            if rule and rule.lost:
                self.close_connection = True
                return
            if rule and rule.change:
                reply = reply._replace(body=json.dumps(rule.change(json.loads(reply.body))).encode())
            self.send(reply)

    lock = threading.Lock()
    with listening(Between) as url:
        proxy = Proxy(url)
        yield proxy
