"""The methods of the API's root: who may call them, and what they lead to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdacap.aws.clients import Aws, found

Method = dict[str, object]
VERBS = ("GET", "POST", "OPTIONS")
CORS = {
    "Access-Control-Allow-Methods": "'GET,POST,OPTIONS'",
    "Access-Control-Allow-Headers": "'Authorization,Content-Type,X-Amz-Date,X-Amz-Security-Token,X-Api-Key'",
    "Access-Control-Max-Age": "'86400'",
}
_OPEN: Method = {"authorization": "NONE", "key": False}
_ACCESS: dict[str, Method] = {
    "none": _OPEN,
    "key": {"authorization": "NONE", "key": True},
    "iam": {"authorization": "AWS_IAM", "key": False},
}


def methods(uri: str, auth: str, origin: str) -> dict[str, Method]:
    """What ought to be: a POST for those who may, and a page and a preflight that any browser can ask for."""
    proxy: Method = {"type": "AWS_PROXY", "uri": uri}
    return {
        "GET": {**proxy, **_OPEN},
        "POST": {**proxy, **_ACCESS[auth]},
        "OPTIONS": {"type": "MOCK", **_OPEN, "headers": {"Access-Control-Allow-Origin": f"'{origin}'", **CORS}},
    }


def auth_of(method: Mapping[str, object] | None) -> str:
    """Which setting of `auth` a POST goes by."""
    return next((auth for auth, access in _ACCESS.items() if method and access.items() <= method.items()), "none")


def summary(method: Any) -> Method | None:  # noqa: ANN401 - API Gateway's own shape
    """What there is of a method, in the words of `methods`."""
    if not method:
        return None
    integration = method.get("methodIntegration") or {}
    said: Method = {
        "type": integration.get("type"),
        "authorization": method.get("authorizationType"),
        "key": method.get("apiKeyRequired", False),
    }
    if integration.get("type") == "MOCK":
        headers = integration.get("integrationResponses", {}).get("200", {}).get("responseParameters", {})
        said["headers"] = {key.removeprefix("method.response.header."): value for key, value in headers.items()}
    else:
        said["uri"] = integration.get("uri")
    return said


def put_method(aws: Aws, api: str, root: str, verb: str, wanted: Any) -> None:  # noqa: ANN401 - a `Method`, by key
    """Make a method that is not there."""
    gateway = aws.apigateway
    place: Any = {"restApiId": api, "resourceId": root, "httpMethod": verb}
    found(  # it is there when the answer was lost and botocore asked again
        lambda: gateway.put_method(**place, authorizationType=wanted["authorization"], apiKeyRequired=wanted["key"]),
        "ConflictException",
    )
    if wanted["type"] == "AWS_PROXY":
        # Lambda is always called by POST, whatever the caller's method.
        gateway.put_integration(**place, type="AWS_PROXY", integrationHttpMethod="POST", uri=wanted["uri"])
        return
    gateway.put_integration(**place, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    headers = {f"method.response.header.{key}": value for key, value in wanted["headers"].items()}
    gateway.put_method_response(**place, statusCode="200", responseParameters=dict.fromkeys(headers, False))
    gateway.put_integration_response(**place, statusCode="200", responseParameters=headers)
