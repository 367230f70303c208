"""No service of the local cloud opens a port beside the guard's, whatever it is asked for by who may ask."""

from __future__ import annotations

import io
import json
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lambdacap import children
from lambdacap.aws.clients import LOCAL_KEY
from lambdacap.local.cloud import Cloud, read_cloud
from tests import processes
from tests.conftest import REGION

WAYS = """
import asyncio, json, socket, socketserver, tempfile, threading
from lambdacap.local import ports

before = socket.create_server(("127.0.0.1", 0))
ports.close()
told = {}

def tried(name, way):
    try:
        way()
    except OSError as error:
        told[name] = error.strerror
    else:
        told[name] = "open"

def thread(way):
    failed = []
    def run():
        try:
            way()
        except OSError as error:
            failed.append(error)
    one = threading.Thread(target=run)
    one.start()
    one.join()
    if failed:
        raise failed[0]

async def stream(host):
    await asyncio.start_server(lambda *_: None, host, 0)

async def datagram():
    await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))

tried("stream", lambda: asyncio.run(stream("0.0.0.0")))
tried("IPv6", lambda: socket.create_server(("::1", 0), family=socket.AF_INET6))
tried("datagram", lambda: asyncio.run(datagram()))
tried("server", lambda: socketserver.ThreadingTCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler))
tried("thread", lambda: thread(lambda: socket.create_server(("", 0))))
with tempfile.TemporaryDirectory() as folder:
    tried("file", lambda: socket.socket(socket.AF_UNIX).bind(folder + "/s"))
socket.create_connection(before.getsockname()).close()
before.accept()[0].close()
print(json.dumps(told))
"""


def test_every_way_of_binding() -> None:
    done = subprocess.run(
        [*children.python("lambdacap")[:2], "-c", WAYS], capture_output=True, text=True, timeout=60, check=True
    )
    closed = "only the local cloud's guard listens here"
    told = json.loads(done.stdout)
    assert told.pop("file") == "open"
    assert list(told) == ["stream", "IPv6", "datagram", "server", "thread"]
    assert all(closed in words for words in told.values()), told


def bootstrap() -> bytes:
    """A function that brings its own runtime: MiniStack opens a port for it to ask at."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        file = zipfile.ZipInfo("bootstrap")
        file.external_attr = 0o755 << 16
        archive.writestr(file, "#!/bin/sh\nsleep 5\n")
    return packed.getvalue()


@pytest.fixture
def here(cloud_home: Path) -> Cloud:
    return read_cloud(cloud_home)


@pytest.fixture
def client(here: Cloud) -> Callable[[str], Any]:
    session = boto3.Session(LOCAL_KEY, here.secret, region_name=REGION)
    config = Config(proxies={}, retries={"total_max_attempts": 1})
    return lambda service: session.client(service, endpoint_url=here.endpoint, config=config)  # type: ignore[call-overload]


@pytest.fixture
def listening(cloud_home: Path) -> Iterator[set[str]]:
    """All addresses on which processes of the cloud have listened while the test ran."""
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.02):
            for pid in processes.belonging_to(cloud_home):
                try:
                    seen.update(processes.addresses_of(pid))
                except FileNotFoundError:  # it has ended meanwhile
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    yield seen
    ended.set()
    thread.join()


def test_no_service_opens_one(client: Callable[[str], Any], listening: set[str], here: Cloud) -> None:
    databases = {"MasterUsername": "somebody", "MasterUserPassword": "some-password"}
    rds, caches, dsql = client("rds"), client("elasticache"), client("dsql")
    rds.create_db_cluster(DBClusterIdentifier="ports", Engine="aurora-postgresql", **databases)
    caches.create_cache_cluster(CacheClusterId="ports", Engine="redis", CacheNodeType="cache.t3.micro", NumCacheNodes=1)
    cluster = dsql.create_cluster(deletionProtectionEnabled=False)["identifier"]
    server = client("transfer").create_server()["ServerId"]
    role = client("iam").create_role(
        RoleName="ports", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}'
    )["Role"]["Arn"]
    functions = client("lambda")
    functions.create_function(
        FunctionName="ports", Runtime="provided.al2023", Role=role, Handler="x", Code={"ZipFile": bootstrap()}
    )
    answer = functions.invoke(FunctionName="ports")["Payload"].read().decode()
    assert "only the local cloud's guard listens here" in answer
    time.sleep(0.5)
    functions.delete_function(FunctionName="ports")
    client("iam").delete_role(RoleName="ports")
    client("transfer").delete_server(ServerId=server)
    dsql.delete_cluster(identifier=cluster)
    caches.delete_cache_cluster(CacheClusterId="ports")
    rds.delete_db_cluster(DBClusterIdentifier="ports", SkipFinalSnapshot=True)
    assert listening == {f"127.0.0.1:{here.port}"}
