"""A registry as ECR is: TLS and a password at `<account>.dkr.ecr.<region>.amazonaws.com`, which is this machine.

Three parts: Debian's `docker-registry`, which keeps the images and checks the password; a gate before it, with
the certificate that the engine is made to trust, which counts what passes and can cut it or refuse it in ECR's
words; and the ECR API before a local cloud, whose own registry those images never see.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from lambdacap.resources.manifest import INDEXES, MANIFESTS

ENGINE = Path(__file__).with_name("engine")
ACCOUNT, REGION = "123456789012", "eu-central-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
PASSWORDS = {
    # ECR's user is always AWS; here the name tells one token from the next.
    "AWS-1:first": "AWS-1:$2y$05$abcdefghijklmnopqrstuu3rQZA.e/048YzLTJ55aycWHfqo0a49W",
    "AWS-2:second": "AWS-2:$2y$05$abcdefghijklmnopqrstuuKbPhTOR7Pvo59BRa0eQ090CMHpax.C6",
}
EXPIRED = "Your authorization token has expired. Reauthenticate and try again."
_CHUNK = 1 << 16


@dataclass
class Registry:
    """What passed the gate, and what shall not.

    `sent` counts the bytes of layers by request path's repository; `cut_after` closes every upload that has sent
    so many bytes; `expire_after` bytes of any upload end the validity of the token that it came with, so many times.
    """

    endpoint: str = ""
    port: int = 0
    sent: int = 0
    uploads: int = 0
    cut_after: int | None = None
    expire_after: int | None = None
    expire_times: int = 1
    tokens: int = 0
    cuts: int = 0
    expired: set[str] = field(default_factory=set)
    untagged: set[tuple[str, str]] = field(default_factory=set)

    def manifest(self, repository: str, reference: str) -> requests.Response:
        """What is there under a tag or digest."""
        return requests.get(
            f"http://127.0.0.1:{self.port}/v2/{repository}/manifests/{reference}",
            headers={"Accept": ", ".join((*MANIFESTS, *INDEXES))},
            auth=("AWS-1", "first"),
            timeout=10,
        )

    def describe(self, repository: str, tag: str) -> dict[str, Any] | None:
        """The image as the registry itself tells of it."""
        answer = self.manifest(repository, tag)
        if not answer.ok or (repository, tag) in self.untagged:
            return None
        return {
            "imageDigest": answer.headers["Docker-Content-Digest"],
            "imageManifestMediaType": answer.headers["Content-Type"],
            "imageTags": [tag],
            "imagePushedAt": time.time(),
        }

    def put(self, repository: str, reference: str, manifest: str, media_type: str) -> None:
        answer = requests.put(
            f"http://127.0.0.1:{self.port}/v2/{repository}/manifests/{reference}",
            data=manifest,
            headers={"Content-Type": media_type},
            auth=("AWS-1", "first"),
            timeout=10,
        )
        assert answer.ok, answer.text
        self.untagged.discard((repository, reference))

    def tags(self, repository: str) -> list[str]:
        url = f"http://127.0.0.1:{self.port}/v2/{repository}/tags/list"
        answer = requests.get(url, auth=("AWS-1", "first"), timeout=10)
        return list(answer.json()["tags"] or []) if answer.ok else []


@contextmanager
def ecr(folder: Path, cloud: str) -> Iterator[Registry]:
    """The registry and its API before the local cloud at `cloud`, known to the engine until the end."""
    registry = Registry()
    # An address of this machine, but not 127.0.0.1: engines skip the certificate there.
    host = subprocess.check_output([ENGINE, "address"], text=True).strip()
    with ExitStack() as stack:
        # Another run on this machine would have the same name and port; the lock goes with the process.
        fcntl.flock(stack.enter_context(ENGINE.open("rb")), fcntl.LOCK_EX)
        stack.enter_context(_registry(folder, registry))
        stack.enter_context(_gate(folder, registry, host))
        stack.enter_context(_api(registry, cloud))
        stack.enter_context(_known_to_the_engine(folder, host))
        yield registry


@contextmanager
def _registry(folder: Path, registry: Registry) -> Iterator[None]:
    (folder / "htpasswd").write_text("\n".join(PASSWORDS.values()) + "\n", "utf-8")
    configuration = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "layers")}},
        "auth": {"htpasswd": {"realm": "ecr", "path": str(folder / "htpasswd")}},
        "http": {"host": f"https://{HOST}"},
    }
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as probe:
        registry.port = probe.server_port
    configuration["http"]["addr"] = f"127.0.0.1:{registry.port}"  # type: ignore[index]
    (folder / "registry.yml").write_text(json.dumps(configuration), "utf-8")  # JSON is YAML
    environ = {key: value for key, value in os.environ.items() if not key.startswith("REGISTRY_")}
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "registry.yml")], stdout=log, stderr=log, env=environ
        )
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                assert requests.get(f"http://127.0.0.1:{registry.port}/v2/", timeout=5).status_code == 401
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline, (folder / "registry.log").read_text("utf-8")
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _gate(folder: Path, registry: Registry, host: str) -> Iterator[None]:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.crt")),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.crt", folder / "key.pem")

    class Gate(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def forward(self) -> None:
            token = self.headers.get("Authorization", "")
            refused = token in registry.expired
            body = self._body(token)
            if refused:
                for _ in body:
                    pass
                self._refuse()
                return
            headers = {key: value for key, value in self.headers.items() if key.lower() != "transfer-encoding"}
            chunked = self.headers.get("Transfer-Encoding") == "chunked"
            if chunked:
                headers["Transfer-Encoding"] = "chunked"
            writes = self.command in ("PATCH", "PUT", "POST")
            with closing(HTTPConnection("127.0.0.1", registry.port, timeout=60)) as upstream:
                upstream.request(self.command, self.path, body if writes else None, headers, encode_chunked=chunked)
                answer = upstream.getresponse()
                content = answer.read()
                if token in registry.expired:  # by what this request has sent
                    self._refuse()
                    return
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in ("transfer-encoding", "content-length", "date", "connection"):
                        self.send_header(key, value)
                self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815 - http.server's names

        def _refuse(self) -> None:
            content = json.dumps({"errors": [{"code": "DENIED", "message": EXPIRED}]}).encode()
            self.send_response(403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":  # whose answers have no body: nothing says why
                self.wfile.write(content)

        def _body(self, token: str) -> Iterator[bytes]:
            # Docker's own image store sends layers with PATCH, containerd's with PUT.
            uploads = "/blobs/uploads/" in self.path and self.command in ("PATCH", "PUT")
            registry.uploads += uploads
            arrived = 0
            for piece in self._pieces():
                arrived += len(piece)
                if uploads:
                    registry.sent += len(piece)
                expires = registry.expire_after is not None and arrived > registry.expire_after
                if expires and len(registry.expired) < registry.expire_times:
                    registry.expired.add(token)
                if registry.cut_after is not None and arrived > registry.cut_after:
                    registry.cuts += 1
                    self.close_connection = True
                    raise ConnectionAbortedError("cut")
                yield piece

        def _pieces(self) -> Iterator[bytes]:
            left = int(self.headers.get("Content-Length") or 0)
            while left:
                piece = self.rfile.read(min(left, _CHUNK))
                left -= len(piece)
                yield piece
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Quiet: connections are cut on purpose, and engines drop theirs."""

    server = Server((host, 443), Gate)
    # The handshake comes with the first read, in the connection's own thread: a slow one holds up no other.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with _serving(server):
        yield


@contextmanager
def _api(registry: Registry, cloud: str) -> Iterator[None]:
    """ECR's API: tokens and images are the registry's, everything else the local cloud's."""

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            data = json.loads(body) if action else {}
            if action == "GetAuthorizationToken":
                users = list(PASSWORDS)
                token = base64.b64encode(users[min(registry.tokens, len(users) - 1)].encode()).decode()
                registry.tokens += 1
                self._answer(200, {"authorizationData": [{"authorizationToken": token}]})
            elif action == "DescribeImages":
                repository = data["repositoryName"]
                wanted = [image["imageTag"] for image in data.get("imageIds", [])]
                tags = wanted or registry.tags(repository)
                images = [image for tag in tags if (image := registry.describe(repository, tag))]
                if wanted and not images:
                    self._answer(400, {"__type": "ImageNotFoundException", "message": "no such image"})
                else:
                    self._answer(200, {"imageDetails": images})
            elif action == "BatchGetImage":
                (image,) = data["imageIds"]
                there = registry.manifest(data["repositoryName"], image["imageDigest"])
                self._answer(200, {"images": [{"imageManifest": there.text}] if there.ok else []})
            elif action == "BatchDeleteImage" and "imageTag" in data["imageIds"][0]:
                registry.untagged |= {(data["repositoryName"], image["imageTag"]) for image in data["imageIds"]}
                self._answer(200, {})
            elif action == "PutImage":
                self._put(data["repositoryName"], data["imageManifest"], data)
            else:
                headers = dict(self.headers)  # with the Host, which is signed
                answer = requests.request(self.command, cloud + self.path, data=body, headers=headers, timeout=60)
                self._answer(answer.status_code, answer.content, answer.headers.get("Content-Type", ""))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = respond  # noqa: N815 - http.server's names

        def _put(self, repository: str, manifest: str, data: dict[str, Any]) -> None:
            """As ECR does where tags are immutable."""
            digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
            tag = data.get("imageTag")
            if tag and registry.describe(repository, tag):
                self._answer(400, {"__type": "ImageTagAlreadyExistsException", "message": f"{tag} already exists"})
            elif not tag and registry.manifest(repository, digest).ok:
                self._answer(400, {"__type": "ImageAlreadyExistsException", "message": f"{digest} already exists"})
            else:
                registry.put(repository, tag or digest, manifest, data["imageManifestMediaType"])
                self._answer(200, {})

        def _answer(self, status: int, content: object, media_type: str = "application/x-amz-json-1.1") -> None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    registry.endpoint = f"http://127.0.0.1:{server.server_port}"
    with _serving(server):
        yield


@contextmanager
def _serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _known_to_the_engine(folder: Path, host: str) -> Iterator[None]:
    """The name and the certificate, where only our engine sees them."""
    hosts = folder / "hosts"
    hosts.write_text(Path("/etc/hosts").read_text("utf-8") + f"\n{host} {HOST}\n", "utf-8")
    certificates = folder / "docker" / "certs.d" / HOST
    certificates.mkdir(parents=True)
    shutil.copy(folder / "ca.crt", certificates)
    mounts = {hosts: "/etc/hosts", folder / "docker": "/etc/docker"}
    for source, target in mounts.items():
        # What a run that was killed left there would stay in the way, and its file is gone.
        while subprocess.run([ENGINE, "enter", "umount", target], capture_output=True).returncode == 0:
            pass
        subprocess.run([ENGINE, "enter", "mount", "--bind", source, target], check=True)
    time.sleep(5.1)  # Go's resolver looks at the file once in five seconds
    try:
        yield
    finally:
        for target in mounts.values():
            subprocess.run([ENGINE, "enter", "umount", target], check=True)
