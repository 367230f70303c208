"""What a caller has to show: the API key, or a signature. Fetched when it is needed, kept nowhere.

Signature Version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from requests import PreparedRequest
from requests.auth import AuthBase

from lambdacap.aws.clients import found, translated
from lambdacap.deployment.record import Deployment
from lambdacap.errors import DeploymentError
from lambdacap.events import silent
from lambdacap.operations.sign_in import sign_in
from lambdacap.resources.api.usage_plan import UsagePlan
from lambdacap.settings import Settings

if TYPE_CHECKING:
    from boto3 import Session


class Key(AuthBase):
    """Sends the API key."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-Api-Key"] = self._value
        return request


class Signature(AuthBase):
    """Signs with the session's credentials, each time anew: a signature is good for five minutes."""

    def __init__(self, session: Session, region: str) -> None:
        self._session = session
        self._region = region

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        headers = {"Content-Type": request.headers["Content-Type"]} if "Content-Type" in request.headers else {}
        signed = AWSRequest(request.method, request.url, headers, request.body)
        with translated():
            credentials = self._session.get_credentials()
            frozen = credentials.get_frozen_credentials() if credentials else None
            SigV4Auth(frozen, "execute-api", self._region).add_auth(signed)  # type: ignore[arg-type]
        request.headers.update(signed.headers.items())
        return request


def pass_for(settings: Settings, deployment: Deployment) -> Key | Signature | None:
    """What calls of the deployment's API have to carry; None where anybody may call.

    Raises `DeploymentError` when there is no key, and what signing in to AWS raises.
    """
    match deployment.resources["api"].get("auth", "none"):
        case "key":
            return Key(api_key(settings))
        case "iam":
            site, _ = sign_in(settings, silent, following=True)
            return Signature(site.aws.session, site.aws.region)
        case _:
            return None


def api_key(settings: Settings) -> str:
    """The key's value, as AWS keeps it. Raises `DeploymentError` when the deployment has none."""
    site, _ = sign_in(settings, silent, following=True)
    gateway = site.aws.apigateway
    with translated(site.aws):
        recorded = site.deployment.resources.get(UsagePlan.kind, {}).get("key")
        if recorded:
            answer = found(lambda: gateway.get_api_key(apiKey=recorded, includeValue=True), "NotFoundException")
            if answer:
                return answer["value"]
        state = UsagePlan().find(site)
        if state and state.identity["key"]:
            return gateway.get_api_key(apiKey=state.identity["key"], includeValue=True)["value"]
    raise DeploymentError(
        f"the deployment {settings.name!r} has no API key",
        hint="`lambdacap deploy --auth key` makes one; callers then have to send it.",
    )
