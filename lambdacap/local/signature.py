"""AWS's signatures, checked by signing again with botocore's own signers and comparing.

Version 4 in the Authorization header or in the query (IAM's guide: AWS Signature Version 4 for API requests), and
version 2 in the query of S3's presigned requests, which boto3 still makes by default in us-east-1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from lambdacap.local.request import Receive, RefusedError, Request, body_of
from lambdacap.local.secret import same

SKEW = timedelta(minutes=15)
"""How far the caller's clock may be from ours."""
LONGEST = 7 * 24 * 3600
"""Seconds for which a presigned request may hold at most."""
UNDECLARED = 72 << 20
"""Bytes of a body whose hash no header tells, so that it is read before the signature is known to be good. Lambda's
largest request, a zipped package in JSON, has 70 MB."""

Secrets = Callable[[str, str], str | None]
"""Access key and session token → the key's secret, or None for a key that is unknown, over, or not of that token."""

_UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<credential>[^,\s]+), *SignedHeaders=(?P<headers>[^,\s]+), *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_SCOPE = re.compile(r"(?P<key>[\w.-]+)/(?P<day>\d{8})/(?P<region>[\w-]+)/(?P<service>[\w-]+)/aws4_request")
_UNSIGNED = ("x-amz-user-agent",)
"""Headers of AWS's that browsers' SDKs add after signing; all others are signed, or they could change the meaning."""
_FORGED = "the signature does not match: `lambdacap local env` prints the keys of this local cloud"


@dataclass(frozen=True)
class _Signature:
    """What a request says of its signature; `expires` is how many seconds a presigned one holds, or None."""

    key: str
    token: str
    day: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str
    timestamp: str
    expires: str | None = None

    @property
    def is_s3(self) -> bool:
        return self.service.startswith("s3")


async def check(request: Request, receive: Receive, secret_of: Secrets) -> Receive:
    """Raises `RefusedError` unless the request is signed by a key whose secret `secret_of` knows.

    Returns a `receive` for who handles the request, since the body may have been read for its hash.
    """
    query = request.query
    header = request.header("authorization")
    presigned = any(name.lower() in ("x-amz-signature", "x-amz-credential") for name in query)
    if (bool(header) + presigned + ("AWSAccessKeyId" in query)) != 1:
        raise RefusedError("the request is signed in two ways" if header else "the request is not signed")
    if "AWSAccessKeyId" in query:
        _check_version_2(request, secret_of)
        return receive
    signature = _presigned(query) if presigned else _in_header(request, header)
    _check_time(signature)
    secret = secret_of(signature.key, signature.token)
    if secret is None:
        raise RefusedError("the access key is unknown here, or its session is over", "UnrecognizedClientException")
    _check_headers(request, signature)
    return await _check_payload(request, receive, signature, Credentials(signature.key, secret))


def _in_header(request: Request, header: str) -> _Signature:
    parts = _AUTHORIZATION.fullmatch(header.strip())
    if parts is None:
        raise RefusedError("the Authorization header is none of AWS's", "IncompleteSignature")
    return _signature(
        parts["credential"],
        parts["headers"],
        parts["signature"],
        token=request.header("x-amz-security-token"),
        timestamp=request.header("x-amz-date"),
    )


def _presigned(query: dict[str, list[str]]) -> _Signature:
    names = ("Credential", "SignedHeaders", "Signature", "Date", "Expires")
    if query.get("X-Amz-Algorithm") != ["AWS4-HMAC-SHA256"] or any(
        len(query.get(f"X-Amz-{n}", [])) != 1 for n in names
    ):
        raise RefusedError("the presigned request lacks a part", "IncompleteSignature")
    credential, headers, signature, timestamp, expires = (query[f"X-Amz-{name}"][0] for name in names)
    token = query.get("X-Amz-Security-Token", [""])[0]
    return _signature(credential, headers, signature, token=token, timestamp=timestamp, expires=expires)


def _signature(credential: str, headers: str, signature: str, **others: str) -> _Signature:
    scope = _SCOPE.fullmatch(credential)
    if scope is None:
        raise RefusedError("the credential's scope is none of AWS's", "IncompleteSignature")
    return _Signature(**scope.groupdict(), headers=tuple(headers.split(";")), signature=signature, **others)


def _check_time(signature: _Signature) -> None:
    try:
        signed = datetime.strptime(signature.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        holds = timedelta(seconds=int(signature.expires)) if signature.expires is not None else SKEW
    except (ValueError, OverflowError):
        raise RefusedError("the signature has no date", "IncompleteSignature") from None
    now = datetime.now(UTC)
    if signature.expires is not None and not 0 < holds.total_seconds() <= LONGEST:
        raise RefusedError(f"a presigned request holds for 1 to {LONGEST} s", "AuthorizationQueryParametersError")
    if signature.day != signature.timestamp[:8] or not signed - SKEW <= now <= signed + holds:
        raise RefusedError("the signature is not of this time", "RequestExpired")


def _check_headers(request: Request, signature: _Signature) -> None:
    """A header that was added to a signed request must not make another request of it."""
    unsigned = [
        name
        for name in request.headers
        if name.startswith("x-amz-") and name not in (*signature.headers, *_UNSIGNED) and signature.expires is not None
    ]
    missing = [name for name in signature.headers if name not in request.headers]
    if "host" not in signature.headers or unsigned or missing:
        raise RefusedError(f"not all headers that count are signed: {', '.join(unsigned or missing or ['host'])}")


async def _check_payload(request: Request, receive: Receive, signature: _Signature, key: Credentials) -> Receive:
    declared = request.header("x-amz-content-sha256")
    if not declared and signature.expires is not None and signature.is_s3:
        declared = _UNSIGNED_PAYLOAD
    if declared:
        _compare(request, signature, key, declared)
        # S3 alone takes a body that is not hashed, or hashed piece by piece, which MiniStack looks at.
        if signature.is_s3 and (declared == _UNSIGNED_PAYLOAD or declared.startswith("STREAMING-")):
            return receive
    body, receive = await body_of(receive, None if declared else UNDECLARED)
    digest = hashlib.sha256(body).hexdigest()
    if not declared:
        _compare(request, signature, key, digest)
    elif not same(declared, digest):
        raise RefusedError("the body is not the one that was signed", "XAmzContentSHA256Mismatch")
    return receive


def _compare(request: Request, signature: _Signature, key: Credentials, digest: str) -> None:
    kind = _SignerOfS3 if signature.is_s3 else _Signer
    again = AWSRequest(
        request.method,
        f"http://localhost{request.raw_path}",
    )
    # A list, since a name may be there twice.
    params: Any = [(name, value) for name, value in _pairs(request) if name != "X-Amz-Signature"]
    again.params = params
    for name in signature.headers:
        for value in request.headers[name]:
            again.headers[name] = value
    again.context.update(timestamp=signature.timestamp, digest=digest)
    signer = kind(key, signature.service, signature.region)
    expected = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    if not same(expected, signature.signature):
        raise RefusedError(_FORGED, "SignatureDoesNotMatch")


class _Signer(SigV4Auth):
    """Signs the headers that were signed, over the hash that was told."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers

    def payload(self, request: AWSRequest) -> str:
        return str(request.context["digest"])


class _SignerOfS3(_Signer, S3SigV4Auth):
    """The same, with the path as it was sent."""


class _SignerOfVersion2(HmacV1QueryAuth):
    """Signs for a moment that was told instead of one from now on."""

    moment = 0

    def _get_date(self) -> str:
        return str(self.moment)


def _check_version_2(request: Request, secret_of: Secrets) -> None:
    query = dict(_pairs(request))
    try:
        expires = int(query["Expires"])
        key, signature = query["AWSAccessKeyId"], query["Signature"]
    except (KeyError, ValueError):
        raise RefusedError("the presigned request lacks a part", "IncompleteSignature") from None
    if datetime.now(UTC).timestamp() > expires:
        raise RefusedError("the signature is not of this time", "RequestExpired")
    secret = secret_of(key, query.get("x-amz-security-token", ""))
    if secret is None:
        raise RefusedError("the access key is unknown here, or its session is over", "InvalidAccessKeyId")
    headers: Any = HTTPHeaders()
    signed = {name: request.header(name) for name in request.headers} | {n.lower(): v for n, v in query.items()}
    for name, value in signed.items():
        if name.startswith("x-amz-") or name in ("content-md5", "content-type"):
            headers[name] = value
    signer = _SignerOfVersion2(Credentials(key, secret))
    signer.moment = expires
    place = urlsplit(f"http://localhost{request.raw_path}?{request.raw_query}")
    if not same(signer.get_signature(request.method, place, headers), signature):
        raise RefusedError(_FORGED, "SignatureDoesNotMatch")


def _pairs(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.raw_query, keep_blank_values=True)
