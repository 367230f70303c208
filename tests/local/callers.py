"""Who may ask the local cloud for what: each kind of request, as each kind of caller would send it."""

from __future__ import annotations

import base64
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambdacap.aws.clients import LOCAL_KEY, LOCAL_REGION
from lambdacap.local.cloud import Cloud

API, REGISTRY, PAGE, DEPLOYED = "AWS API", "registry", "MiniStack's page", "deployed API"


@dataclass(frozen=True)
class Asking:
    """A request; `service` is the one that it is signed for, where it is signed."""

    kind: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    service: str = "lambda"


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ASKED = (
    Asking(API, "GET", "/2015-03-31/functions/"),
    Asking(API, "POST", "/2015-03-31/functions", {"Content-Type": "text/plain"}, b'{"FunctionName": "x"}'),
    Asking(API, "POST", "/", FORM, b"Action=GetCallerIdentity&Version=2011-06-15", "sts"),
    Asking(API, "GET", "/", service="s3"),
    Asking(API, "OPTIONS", "/2015-03-31/functions", {"Access-Control-Request-Method": "POST"}),
    Asking(API, "GET", "/_aws/execute-api/x/prod", UPGRADE),
    Asking(REGISTRY, "GET", "/v2/"),
    Asking(REGISTRY, "GET", "/v2/_catalog"),
    Asking(REGISTRY, "POST", "/v2/mine/blobs/uploads/"),
    Asking(PAGE, "GET", "/_ministack/health"),
    Asking(PAGE, "GET", "/health"),
    Asking(PAGE, "POST", "/_ministack/config", {"Content-Type": "text/plain"}, b"{}"),
    Asking(PAGE, "GET", "/_aws/ses/messages"),
)

CALLERS = ("nobody", "wrong secret", "key test", "key 123456789012", "foreign Host", "foreign Origin", "the user")
"""Those of the foreign Host and Origin know the secret, and are refused all the same."""


def sent_by(caller: str, asking: Asking, cloud: Cloud) -> Asking:
    """The request as `caller` sends it, with the Host and what else tells who it is."""
    host = "evil.example" if caller == "foreign Host" else f"127.0.0.1:{cloud.port}"
    headers = {"Host": host, **asking.headers}
    if caller == "foreign Origin":
        headers |= {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    key = {"key test": "test", "key 123456789012": "123456789012"}.get(caller, LOCAL_KEY)
    secret = {"wrong secret": "0" * 64, "key test": "test", "key 123456789012": "test"}.get(caller, cloud.secret)
    if caller == "nobody" or (asking.kind == DEPLOYED and caller in ("foreign Host", "foreign Origin", "the user")):
        pass  # who asks a deployed API needs no keys
    elif asking.path.startswith(("/v2/", "/_ministack/")):
        user = "AWS" if key == LOCAL_KEY else key
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
    else:
        headers = signed(replace(asking, headers=headers), key, secret)
    return replace(asking, headers=headers)


def signed(asking: Asking, key: str, secret: str, token: str | None = None) -> dict[str, str]:
    """The headers with a signature by version 4."""
    request = AWSRequest(asking.method, f"http://localhost{asking.path}", dict(asking.headers), asking.body)
    SigV4Auth(Credentials(key, secret, token), asking.service, LOCAL_REGION).add_auth(request)
    return dict(request.headers.items())


def ask(cloud: Cloud, asking: Asking) -> bytes:
    """The whole answer, headers first; empty when the connection was closed without one."""
    lines = [f"{asking.method} {asking.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in asking.headers.items()]
    lines += [f"Content-Length: {len(asking.body)}"] if asking.body else []
    lines += [] if "Connection" in asking.headers else ["Connection: close"]
    return exchange(cloud, "\r\n".join([*lines, "", ""]).encode("latin-1") + asking.body)


def exchange(cloud: Cloud, raw: bytes) -> bytes:
    """What the cloud answers to these very bytes, until it closes or is silent for half a second after them."""
    answer = b""
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=20) as connection:
        connection.sendall(raw)
        try:
            while piece := connection.recv(65536):
                answer += piece
                connection.settimeout(0.5)
        except (TimeoutError, ConnectionResetError):
            pass
    return answer


def status(answer: bytes) -> int:
    """The status of an answer, 0 for none."""
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 2 and words[0].startswith(b"HTTP/") else 0
