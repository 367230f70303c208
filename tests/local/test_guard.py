"""Nobody but the user reaches the local cloud: not a page, not another user, not the other end of an odd request."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import h2.config
import h2.connection
import h2.events
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from lambdacap.aws.clients import LOCAL_KEY
from lambdacap.deployment.record import Records
from lambdacap.local.cloud import Cloud, read_cloud, variables
from lambdacap.settings import Settings
from tests import processes
from tests.command import Command
from tests.conftest import ACCOUNT, REGION, standing_deployment
from tests.local.callers import (
    ASKED,
    CALLERS,
    DEPLOYED,
    REGISTRY,
    UPGRADE,
    Asking,
    ask,
    exchange,
    sent_by,
    signed,
    status,
)

ALLOW_EVERYONE = b"access-control-allow-origin"


@pytest.fixture(scope="module")
def here(cloud_home: Path) -> Cloud:
    return read_cloud(cloud_home)


@pytest.fixture(scope="module")
def standing(cloud_home: Path) -> Iterator[Settings]:
    with standing_deployment("guarded", cloud_home) as settings:
        yield settings


@pytest.fixture(scope="module")
def url(standing: Settings) -> str:
    (record,) = Records(standing.home).all(standing.name)
    return record.url or ""


@pytest.fixture
def session(here: Cloud) -> boto3.Session:
    return boto3.Session(LOCAL_KEY, here.secret, region_name=REGION)


def client(session: boto3.Session, here: Cloud, service: str, **config: Any) -> Any:  # noqa: ANN401 - any service's
    return session.client(service, endpoint_url=here.endpoint, config=Config(proxies={}, **config))  # type: ignore[call-overload]


def functions(here: Cloud, session: boto3.Session) -> list[str]:
    return [one["FunctionName"] for one in client(session, here, "lambda").list_functions()["Functions"]]


class TestWhoAsks:
    @pytest.mark.parametrize("caller", CALLERS)
    @pytest.mark.parametrize("asking", ASKED, ids=lambda asking: f"{asking.method} {asking.path}")
    def test_only_the_user_is_let_through(self, asking: Asking, caller: str, here: Cloud) -> None:
        answer = ask(here, sent_by(caller, asking, here))
        if caller == "the user":
            assert status(answer) not in (0, 401)
            assert asking.headers == UPGRADE or status(answer) != 403
        elif caller == "nobody" and asking.kind == REGISTRY:
            # An engine sends its password only after it was asked.
            assert status(answer) == 401
            assert b'www-authenticate: basic realm="lambdacap"' in answer.lower()
        else:
            assert status(answer) == 403
        assert ALLOW_EVERYONE not in answer.lower()

    @pytest.mark.parametrize("caller", CALLERS)
    def test_a_deployed_api_is_open_at_its_own_address(self, caller: str, here: Cloud, url: str) -> None:
        asking = Asking(
            DEPLOYED, "POST", urlsplit(url).path, {"Content-Type": "image/jpeg"}, b"\xff\xd8", "execute-api"
        )
        expected = 200 if caller in ("nobody", "foreign Origin", "the user") else 403
        assert status(ask(here, sent_by(caller, asking, here))) == expected

    def test_what_is_refused_tells_nothing_of_the_secret(self, here: Cloud) -> None:
        for asking in ASKED:
            answer = ask(here, sent_by("wrong secret", asking, here))
            assert here.secret.encode() not in answer
            assert LOCAL_KEY.encode() not in answer.replace(b"`lambdacap local env`", b"").replace(
                b'realm="lambdacap"', b""
            )

    def test_functions_are_reached_by_no_port(self, here: Cloud, cloud_home: Path, url: str) -> None:
        assert requests.post(url, data=b"\xff\xd8", headers={"Content-Type": "image/jpeg"}, timeout=20).ok
        found = {a for pid in processes.belonging_to(cloud_home) for a in processes.addresses_of(pid)}
        assert found == {f"127.0.0.1:{here.port}"}


class TestOddRequests:
    """Each would be somebody's way past a guard that reads a request otherwise than MiniStack does."""

    @pytest.fixture
    def api(self, url: str) -> str:
        return urlsplit(url).path.rstrip("/")

    @pytest.mark.parametrize(
        "path",
        [
            "//_ministack/health",
            "/%5fministack/health",
            "/./_ministack/health",
            "/restapis/../_ministack/health",
            "/restapis/x/../../_ministack/health",
            "/2015-03-31/functions?x=/restapis/x/prod/_user_request_/",
            "/2015-03-31/functions/_user_request_/",
            "/x/restapis/x/prod/_user_request_/",
            "/restapis",
            "/restapis/",
            "/restapis/x/prod/_user_request_/",
            "/restapis//prod/_user_request_/",
            "/restapis/{api}/nostage/_user_request_/",
            "/restapis/{api}//_user_request_/",
            "/restapis/{api}/prod/_user_request_x/",
            "/restapis/{api}/prod/resources",
            "/restapis/{api}/prod/_user_request_/@connections/x",
            "/restapis/{api}/stages/prod",
            "/_aws/execute-api/{api}/prod/",
            "/restapis%00/{api}/prod/_user_request_/",
            "/V2/_catalog",
            "/v2/../_ministack/health",
            "/v2%2f..%2f_ministack/health",
            "*",
            "http://127.0.0.1:{port}/_ministack/health",
            "http://127.0.0.1:{port}/restapis/{api}/prod/_user_request_/",
            "/restapis/{api}/prod/_user_request_/#/_ministack/health",
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD", "PROPFIND"])
    def test_paths(self, method: str, path: str, api: str, here: Cloud) -> None:
        target = path.format(api=api.split("/")[2], port=here.port)
        raw = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{here.port}\r\nConnection: close\r\n\r\n"
        refused = (403, 401) if target.lower().startswith("/v2") else (403,)
        assert status(exchange(here, raw.encode())) in refused

    @pytest.mark.parametrize(
        "inside", ["%2e%2e/%2e%2e/_ministack/reset", "../../../../_ministack/reset", "v2/_catalog"]
    )
    def test_what_follows_a_deployed_apis_address_is_its_own(
        self, inside: str, api: str, here: Cloud, session: boto3.Session
    ) -> None:
        raw = f"POST {api}/{inside} HTTP/1.1\r\nHost: 127.0.0.1:{here.port}\r\nConnection: close\r\n\r\n"
        assert status(exchange(here, raw.encode())) in (200, 400, 403, 404)
        assert "guarded" in functions(here, session)  # nothing was reset

    @pytest.mark.parametrize(
        "head",
        [
            "GET /2015-03-31/functions/ HTTP/1.0",
            "GET {api}/ HTTP/1.0",
            "GET {api}/ HTTP/1.0\r\nHost: evil.example",
            "GET {api}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example",
            "GET {api}/ HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1:{port}",
            "GET {api}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}, evil.example",
            "GET {api}/ HTTP/1.1\r\nHost: 127.0.0.1.evil.example:{port}",
            "GET {api}/ HTTP/1.1\r\nHost: evil.example@127.0.0.1:{port}",
            "GET {api}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}@evil.example",
            "GET {api}/ HTTP/1.1\r\nHost: 127.0.0.1",
            "GET {api}/ HTTP/1.1\r\nHost: 127.0.0.1:1",
            "GET {api}/ HTTP/1.1\r\nHost: [::1]:{port}",
            "GET {api}/ HTTP/1.1\r\nHost: 2130706433:{port}",
            "GET {api}/ HTTP/1.1\r\nHost: bucket.localhost:{port}",
            "GET {api}/ HTTP/1.1\r\nHost: x.execute-api.localhost:{port}",
            "GET {api}/ HTTP/1.1\r\nHost:",
            "GET {api}/ HTTP/1.1\r\nX-Forwarded-Host: 127.0.0.1:{port}\r\nHost: evil.example",
            "GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Basic\r\nAuthorization: Basic {basic}",
            "GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Basic {basic}\r\nOrigin: null",
            "GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Basic {basic}\r\nOrigin:",
            "GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Basic {basic}\r\nSec-Fetch-Site: same-site",
            "GET /2015-03-31/functions/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Basic {basic}",
            "GET /2015-03-31/functions/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: AWS lambdacap:x",
            "GET /?AWSAccessKeyId=test&Signature=x&Expires=99999999999 HTTP/1.1\r\nHost: 127.0.0.1:{port}",
            "GET /?X-Amz-Credential=test/20200101/us-east-1/s3/aws4_request HTTP/1.1\r\nHost: 127.0.0.1:{port}",
            "GET {api}/?X-Amz-Credential=test/20200101/us-east-1/s3/aws4_request HTTP/1.1\r\nHost: 127.0.0.1:{port}",
            "GET /_aws/execute-api/x/prod HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: h2c\r\n"
            "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
            "CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}",
        ],
    )
    def test_heads(self, head: str, api: str, here: Cloud) -> None:
        basic = base64.b64encode(f"AWS:{here.secret}".encode()).decode()
        raw = head.format(api=api, port=here.port, basic=basic) + "\r\n\r\n"
        answer = exchange(here, raw.encode())
        # 400: no HTTP at all. 101 is followed by the answer in HTTP/2's form.
        assert status(answer) in (400, 403) or (status(answer) == 101 and b"lambdacap" not in answer)

    def test_names_of_this_machine(self, api: str, here: Cloud) -> None:
        for host in (f"127.0.0.1:{here.port}", f"localhost:{here.port}", f"LOCALHOST:{here.port}"):
            raw = f"GET {api}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            assert status(exchange(here, raw.encode())) == 200

    def test_chunks(self, here: Cloud, session: boto3.Session) -> None:
        head = f"POST /2015-03-31/functions HTTP/1.1\r\nHost: 127.0.0.1:{here.port}\r\nTransfer-Encoding: chunked\r\n"
        chunks = "\r\n" + 'd\r\n{"FunctionNam\r\n' + 'a\r\ne": "made"}\r\n' + "0\r\n\r\n"
        for more in ("", "Content-Length: 5\r\n", "Content-Type: text/plain\r\n"):
            assert status(exchange(here, (head + more + chunks).encode())) in (400, 403)
        assert "made" not in functions(here, session)

    def test_a_second_request_behind_an_open_one(self, api: str, here: Cloud) -> None:
        host = f"Host: 127.0.0.1:{here.port}\r\n"
        first = f"POST {api}/ HTTP/1.1\r\n{host}Content-Length: 2\r\n\r\nxx"
        second = f"GET /2015-03-31/functions/ HTTP/1.1\r\n{host}Connection: close\r\n\r\n"
        answer = exchange(here, (first + second).encode())
        assert b"HTTP/1.1 403" in answer
        assert b"FunctionArn" not in answer

    @pytest.mark.parametrize(
        ("path", "authority", "expected"),
        [
            ("/_ministack/health", "127.0.0.1:{port}", "403"),
            ("/2015-03-31/functions/", "127.0.0.1:{port}", "403"),
            ("{api}/", "evil.example", "403"),
            ("{api}/", "127.0.0.1:{port}", "200"),
        ],
    )
    def test_http_2_without_an_upgrade(self, path: str, authority: str, expected: str, api: str, here: Cloud) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        connection.initiate_connection()
        target, host = path.format(api=api), authority.format(port=here.port)
        names = [(":method", "GET"), (":path", target), (":scheme", "http"), (":authority", host)]
        connection.send_headers(1, names, end_stream=True)
        got = ""
        with socket.create_connection(("127.0.0.1", here.port), timeout=20) as wire:
            wire.sendall(connection.data_to_send())
            while not got:
                for event in connection.receive_data(wire.recv(65536)):
                    if isinstance(event, h2.events.ResponseReceived):
                        got = {str(name): str(value) for name, value in event.headers or []}[":status"]
                wire.sendall(connection.data_to_send())
        assert got == expected


class TestSignatures:
    def test_a_body_that_was_not_signed(self, here: Cloud) -> None:
        asking = Asking("", "POST", "/", {"Host": f"127.0.0.1:{here.port}"}, b"Action=GetCallerIdentity", "sts")
        headers = signed(asking, LOCAL_KEY, here.secret)
        asked = replace(asking, headers=headers)
        assert status(ask(here, replace(asked, body=b"Action=GetSessionToken!!"))) == 403
        digest = hashlib.sha256(asking.body).hexdigest()
        declared = replace(asking, headers={**asking.headers, "X-Amz-Content-SHA256": digest})
        asked = replace(declared, headers=signed(declared, LOCAL_KEY, here.secret))
        assert status(ask(here, replace(asked, body=b"Action=GetSessionToken!!"))) == 403
        # Only S3 takes a body that is not hashed.
        declared = replace(asking, headers={**asking.headers, "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
        asked = replace(declared, headers=signed(declared, LOCAL_KEY, here.secret))
        assert status(ask(here, asked)) == 403

    def test_a_path_a_query_and_a_method_that_were_not_signed(self, here: Cloud) -> None:
        asking = Asking("", "GET", "/2015-03-31/functions/", {"Host": f"127.0.0.1:{here.port}"})
        asked = replace(asking, headers=signed(asking, LOCAL_KEY, here.secret))
        assert status(ask(here, asked)) == 200
        for other in ("/2015-03-31/functions/x", "/2015-03-31/functions/?MaxItems=1"):
            assert status(ask(here, replace(asked, path=other))) == 403
        assert status(ask(here, replace(asked, method="DELETE"))) == 403

    @pytest.mark.parametrize(
        ("what", "becomes"),
        [
            ("Credential=lambdacap", "Credential=test"),
            ("SignedHeaders=host;", "SignedHeaders="),
            ("Signature=", "Signature=0"),
            ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
            ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/s3/aws4_request"),
            ("aws4_request", "aws4_request/x"),
        ],
    )
    def test_a_header_that_was_changed(self, what: str, becomes: str, here: Cloud) -> None:
        asking = Asking("", "GET", "/2015-03-31/functions/", {"Host": f"127.0.0.1:{here.port}"})
        headers = signed(asking, LOCAL_KEY, here.secret)
        assert what in headers["Authorization"]
        headers["Authorization"] = headers["Authorization"].replace(what, becomes)
        assert status(ask(here, replace(asking, headers=headers))) == 403

    @pytest.mark.parametrize("hours", [-24, -1, 1, 24])
    def test_another_time(
        self, hours: int, here: Cloud, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import botocore.auth
        from botocore.compat import get_current_datetime

        asked = client(session, here, "lambda", retries={"max_attempts": 0})
        from datetime import timedelta

        then = get_current_datetime() + timedelta(hours=hours)
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: then)
        with pytest.raises(ClientError) as caught:
            asked.list_functions()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403

    @pytest.mark.parametrize("version", ["s3v4", "s3"])
    def test_presigned_requests(self, version: str, here: Cloud, session: boto3.Session) -> None:
        s3, signer = client(session, here, "s3"), client(session, here, "s3", signature_version=version)
        s3.create_bucket(Bucket="presigned")
        where = {"Bucket": "presigned", "Key": "a folder/ä+b.txt"}
        put = signer.generate_presigned_url("put_object", Params=where, ExpiresIn=60)
        get = signer.generate_presigned_url("get_object", Params=where, ExpiresIn=60)
        past = signer.generate_presigned_url("get_object", Params=where, ExpiresIn=-1 if version == "s3" else 1)
        assert requests.put(put, data=b"hello", timeout=20).status_code == 200
        with requests.get(get, timeout=20) as answer:
            assert answer.content == b"hello"
        copied = {"x-amz-copy-source": "presigned/secret"}
        assert requests.put(put, headers=copied, timeout=20).status_code == 403
        assert requests.put(get, data=b"other", timeout=20).status_code == 403
        assert requests.get(get.replace("txt", "tyt"), timeout=20).status_code == 403
        assert requests.get(get, headers={"Origin": "http://evil.example"}, timeout=20).status_code == 403
        time.sleep(2)
        assert requests.get(past, timeout=20).status_code == 403
        s3.delete_object(**where)
        s3.delete_bucket(Bucket="presigned")

    def test_uploads_in_pieces(self, here: Cloud, session: boto3.Session) -> None:
        s3 = client(session, here, "s3", request_checksum_calculation="when_required")
        s3.create_bucket(Bucket="pieces")
        body = os.urandom(200_000)
        s3.put_object(Bucket="pieces", Key="x?y=z&w", Body=body)
        assert s3.get_object(Bucket="pieces", Key="x?y=z&w")["Body"].read() == body
        s3.delete_object(Bucket="pieces", Key="x?y=z&w")
        s3.delete_bucket(Bucket="pieces")

    def test_a_role_may_what_its_policy_says(self, here: Cloud, session: boto3.Session) -> None:
        iam = client(session, here, "iam")
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        may = {"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": "*"}
        iam.create_role(
            RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
        document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        iam.put_role_policy(RoleName="reader", PolicyName="logs", PolicyDocument=document)
        role = f"arn:aws:iam::{ACCOUNT}:role/reader"
        got = client(session, here, "sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        reader = boto3.Session(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"], region_name=REGION)
        assert "logGroups" in client(reader, here, "logs").describe_log_groups()
        with pytest.raises(ClientError, match="AccessDenied"):
            client(reader, here, "lambda").list_functions()
        for token in (None, "other"):
            thief = boto3.Session(got["AccessKeyId"], got["SecretAccessKey"], token, region_name=REGION)
            with pytest.raises(ClientError) as caught:
                client(thief, here, "logs").describe_log_groups()
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        iam.delete_role_policy(RoleName="reader", PolicyName="logs")
        iam.delete_role(RoleName="reader")

    def test_a_functions_own_credentials(self, here: Cloud, url: str, standing: Settings) -> None:
        with requests.post(url, data=b"\xff\xd8", headers={"Content-Type": "image/jpeg"}, timeout=20) as answer:
            environ = answer.json()["environ"]
        assert environ["AWS_ENDPOINT_URL"] == here.endpoint
        key, secret, token = (
            environ[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
        )
        assert here.secret not in environ.values()
        session = boto3.Session(key, secret, token, region_name=environ["AWS_REGION"])
        caller = client(session, here, "sts").get_caller_identity()["Arn"]
        assert caller.endswith(f"/{standing.name}")
        assert ":assumed-role/" in caller
        with pytest.raises(ClientError, match="AccessDenied"):
            client(session, here, "lambda").list_functions()
        # MiniStack's own would follow from what everybody can guess.
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{standing.name}"
        for role in (f"arn:aws:iam::{ACCOUNT}:role/{standing.name}-{REGION}", ""):
            digest = hashlib.sha256(f"{arn}:{role}".encode()).hexdigest()
            guess, token = (hashlib.sha256(f"{part}:{digest}".encode()).hexdigest() for part in ("secret", "token"))
            guessed = boto3.Session(f"ASIA{digest[:16].upper()}", guess, token, region_name=REGION)
            with pytest.raises(ClientError) as caught:
                client(guessed, here, "sts").get_caller_identity()
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


class TestTheRegistry:
    def test_its_password_is_what_ecr_hands_out_and_opens_nothing_else(
        self, here: Cloud, session: boto3.Session
    ) -> None:
        token = client(session, here, "ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(token).decode().partition(":")
        assert password != here.secret
        for path, expected in (("/v2/", 200), ("/v2/_catalog", 200), ("/_ministack/health", 403), ("/health", 403)):
            with requests.get(here.endpoint + path, auth=(user, password), timeout=20) as answer:
                assert answer.status_code == expected


class TestAnotherUser:
    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
    def test_curl(self, here: Cloud, cloud_home: Path, url: str) -> None:
        tools = [shutil.which(name) for name in ("runuser", "curl")]
        if None in tools:
            pytest.skip("there is no runuser, or no curl")

        def curl(*arguments: str) -> str:
            command = [
                "runuser",
                "-u",
                "nobody",
                "--",
                "curl",
                "-s",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                *arguments,
            ]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd="/").stdout

        assert curl(url) == "200"
        assert curl(f"{here.endpoint}/2015-03-31/functions/") == "403"
        assert curl("-X", "POST", f"{here.endpoint}/_ministack/reset") == "403"
        assert curl("-d", "{}", "-H", "Content-Type: text/plain", f"{here.endpoint}/2015-03-31/functions") == "403"
        for kept in ("", "secret", "cloud.json", "docker/config.json", "cloud.log", "state", "images", "functions"):
            place = cloud_home / "local" / kept
            seen = subprocess.run(["runuser", "-u", "nobody", "--", "ls", str(place)], capture_output=True, cwd="/")
            assert seen.returncode != 0

    def test_nothing_is_told_to_who_lists_processes(self, here: Cloud, cloud_home: Path) -> None:
        for pid in processes.belonging_to(cloud_home):
            assert here.secret.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()

    def test_what_is_kept_is_the_users(self, cloud_home: Path) -> None:
        kept = cloud_home / "local"
        assert kept.stat().st_mode & 0o777 == 0o700
        for path in (kept / "secret", kept / "docker" / "config.json", kept / "cloud.log", kept / "cloud.pid"):
            assert path.stat().st_mode & 0o777 == 0o600, path
        for folder in ("tmp", "state", "docker", "images", "functions"):
            if (kept / folder).exists():
                assert (kept / folder).stat().st_mode & 0o777 == 0o700, folder


class TestEnvironment:
    def test_the_shell_and_boto3_take_it(self, shared: Command, here: Cloud) -> None:
        code = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
        script = f'eval "$({shared.executable} local env 2>/dev/null)"; exec python3 -c "$0"'
        environment = {**shared.environment, "AWS_SESSION_TOKEN": "of other work", "AWS_PROFILE": "other"}
        environment["PATH"] = f"{shared.executable.parent}:{environment['PATH']}"
        command = ["sh", "-c", script, code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.returncode) == (f"{ACCOUNT}\n", 0), done.stderr
        assert shared("local", "env", "--json").data == variables(here)
        assert "docker login" in shared("local", "env").stderr

    def test_without_a_cloud_there_is_none(self, lambdacap: Command) -> None:
        refused = lambdacap("local", "env", code=1)
        assert refused.stdout == ""
        assert "`lambdacap local start`" in refused.stderr


def test_a_large_body_that_is_refused_gets_its_answer(here: Cloud) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", here.port, timeout=20)
    connection.request("POST", "/2015-03-31/functions", b"x" * 900_000, {"Content-Type": "text/plain"})
    assert connection.getresponse().status == 403
    connection.close()
