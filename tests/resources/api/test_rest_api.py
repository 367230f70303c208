"""What of the API the local cloud does not know: binary media types are patched one by one."""

from __future__ import annotations

import json

from lambdacap.aws.clients import connect
from lambdacap.deployment.record import Deployment
from lambdacap.events import silent
from lambdacap.resources import Change, Site, State
from lambdacap.resources.api.rest_api import Api
from lambdacap.settings import Settings
from tests.aws.test_clients import IDENTITY
from tests.servers import Answer, serving
from tests.sites import ensured, removed


def test_other_binary_media_types_are_found(site: Site) -> None:
    gateway = site.aws.apigateway
    api = gateway.create_rest_api(name=site.name, tags=site.tags, binaryMediaTypes=["*/*", "image/*"])["id"]
    try:
        state = Api().find(site)
        assert Api().change(site, state).differences["binary media types"] == (["*/*", "image/*"], ["image/*"])
    finally:
        gateway.delete_rest_api(restApiId=api)


def test_compression_that_somebody_switched_off_is_switched_on(site: Site) -> None:
    there = ensured(site)
    gateway, api = site.aws.apigateway, there.deployment.resources["api"]["id"]
    try:
        gateway.update_rest_api(
            restApiId=api, patchOperations=[{"op": "replace", "path": "/minimumCompressionSize", "value": "10485760"}]
        )
        _, change = Api().ensure(there, Api().find(there))
        assert change.differences == {"minimum compression size": (10485760, 1024)}
        assert gateway.get_rest_api(restApiId=api)["minimumCompressionSize"] == 1024
        assert Api().change(there, Api().find(there)).action == "keep"
    finally:
        removed(site)


def test_binary_media_types_are_patched_and_put_live() -> None:
    """Paths as API Gateway's guide has them: a slash is ~1. They hold only after a new deployment."""
    made, stages, deployments = (
        Answer(201, b'{"id": "d2"}'),
        Answer(body=b'{"item": [{"stageName": "prod", "deploymentId": "d2"}]}'),
        Answer(body=b'{"item": [{"id": "d1"}, {"id": "d2"}]}'),
    )
    with serving(IDENTITY, Answer(), made, stages, deployments, Answer(202), Answer()) as server:
        aws = connect(region=None, profile=None, endpoint=server.url)
        site = Site(aws, Settings(), Deployment("x", target="local", account="1", region="us-east-1"), silent)
        state = State({"id": "abc", "url": ""}, {"binary media types": ["*/*", "text/plain"]})
        change = Change("api", "update", {"binary media types": (["*/*", "text/plain"], ["image/*"])})
        Api().update(site, state, change)
    patch, deployment, _, _, old, noted = server.asked[1:]
    assert (patch.method, patch.path) == ("PATCH", "/restapis/abc")
    assert json.loads(patch.body)["patchOperations"] == [
        {"op": "remove", "path": "/binaryMediaTypes/*~1*"},
        {"op": "remove", "path": "/binaryMediaTypes/text~1plain"},
        {"op": "add", "path": "/binaryMediaTypes/image~1*"},
    ]
    assert (deployment.method, deployment.path) == ("POST", "/restapis/abc/deployments")
    assert json.loads(deployment.body)["stageName"] == "prod"
    assert (old.method, old.path) == ("DELETE", "/restapis/abc/deployments/d1")
    assert (noted.method, noted.path) == ("PATCH", "/restapis/abc/stages/prod")
