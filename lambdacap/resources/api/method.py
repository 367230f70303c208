"""The methods of the API, by verb and path: who may call them, and what they lead to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdacap.aws.clients import Aws, found

Method = dict[str, object]
DESCRIPTION = "openapi.json"
"""The one resource below the root: what the predictor takes and gives."""
METHODS = ("GET /", "POST /", "OPTIONS /", f"GET /{DESCRIPTION}", f"OPTIONS /{DESCRIPTION}")
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
    """What ought to be: a POST for those who may; a page, a description and preflights that any browser can ask for.

    With `*/*` as a binary media type a MOCK integration would see bytes where it wants its template's JSON, and answer
    500; with content handling it does not:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html
    """
    page: Method = {"type": "AWS_PROXY", "uri": uri, **_OPEN}
    preflight: Method = {
        "type": "MOCK",
        "content handling": "CONVERT_TO_TEXT",
        **_OPEN,
        "headers": {"Access-Control-Allow-Origin": f"'{origin}'", **CORS},
    }
    return {
        "GET /": page,
        "POST /": {**page, **_ACCESS[auth]},
        "OPTIONS /": preflight,
        f"GET /{DESCRIPTION}": page,
        f"OPTIONS /{DESCRIPTION}": preflight,
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
        said["content handling"] = integration.get("contentHandling")
        headers = integration.get("integrationResponses", {}).get("200", {}).get("responseParameters", {})
        said["headers"] = {key.removeprefix("method.response.header."): value for key, value in headers.items()}
    else:
        said["uri"] = integration.get("uri")
    return said


def put_method(aws: Aws, api: str, resource: str, verb: str, wanted: Any) -> None:  # noqa: ANN401 - a `Method`, by key
    """Make a method that is not there."""
    gateway = aws.apigateway
    place: Any = {"restApiId": api, "resourceId": resource, "httpMethod": verb}
    found(  # it is there when the answer was lost and botocore asked again
        lambda: gateway.put_method(**place, authorizationType=wanted["authorization"], apiKeyRequired=wanted["key"]),
        "ConflictException",
    )
    if wanted["type"] == "AWS_PROXY":
        # Lambda is always called by POST, whatever the caller's method.
        gateway.put_integration(**place, type="AWS_PROXY", integrationHttpMethod="POST", uri=wanted["uri"])
        return
    gateway.put_integration(
        **place,
        type="MOCK",
        contentHandling=wanted["content handling"],
        requestTemplates={"application/json": '{"statusCode": 200}'},
    )
    headers = {f"method.response.header.{key}": value for key, value in wanted["headers"].items()}
    gateway.put_method_response(**place, statusCode="200", responseParameters=dict.fromkeys(headers, False))
    gateway.put_integration_response(**place, statusCode="200", responseParameters=headers)
