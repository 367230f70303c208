"""What the gateway itself answers, for a missing key or too many calls: readable by pages of other origins, too."""

from __future__ import annotations

from typing import Any

from lambdacap.aws.clients import Aws

TYPES = ("DEFAULT_4XX", "DEFAULT_5XX")
"""All of its errors, by API Gateway's names."""
_HEADER = "gatewayresponse.header."

Headers = dict[str, str]


def gateway_responses(origin: str) -> dict[str, Headers]:
    """The headers that ought to be on each, in addition to its own."""
    return {kind: {"Access-Control-Allow-Origin": f"'{origin}'"} for kind in TYPES}


def present_responses(aws: Aws, api: str) -> dict[str, Headers]:
    """The headers that are."""
    listed = aws.apigateway.get_gateway_responses(restApiId=api, limit=500)["items"]
    return {
        response["responseType"]: {
            key.removeprefix(_HEADER): value for key, value in response.get("responseParameters", {}).items()
        }
        for response in listed
        if response.get("responseType") in TYPES
    }


def put_responses(aws: Aws, api: str, wanted: Any) -> None:  # noqa: ANN401 - as `gateway_responses` gives it
    """Set them; status and body stay the gateway's."""
    for kind, headers in wanted.items():
        aws.apigateway.put_gateway_response(
            restApiId=api,
            responseType=kind,
            responseParameters={f"{_HEADER}{key}": value for key, value in headers.items()},
        )
