"""What of the API the local cloud does not know: binary media types are patched one by one."""

from __future__ import annotations

import json
from dataclasses import replace

import requests

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
    api = gateway.create_rest_api(name=site.name, tags=site.tags, binaryMediaTypes=["image/*", "text/plain"])["id"]
    try:
        state = Api().find(site)
        assert Api().change(site, state).differences["binary media types"] == (["image/*", "text/plain"], ["*/*"])
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
        state = State({"id": "abc", "url": ""}, {"binary media types": ["image/*", "text/plain"]})
        change = Change("api", "update", {"binary media types": (["image/*", "text/plain"], ["*/*"])})
        Api().update(site, state, change)
    patch, deployment, _, _, old, noted = server.asked[1:]
    assert (patch.method, patch.path) == ("PATCH", "/restapis/abc")
    assert json.loads(patch.body)["patchOperations"] == [
        {"op": "remove", "path": "/binaryMediaTypes/image~1*"},
        {"op": "remove", "path": "/binaryMediaTypes/text~1plain"},
        {"op": "add", "path": "/binaryMediaTypes/*~1*"},
    ]
    assert (deployment.method, deployment.path) == ("POST", "/restapis/abc/deployments")
    assert json.loads(deployment.body)["stageName"] == "prod"
    assert (old.method, old.path) == ("DELETE", "/restapis/abc/deployments/d1")
    assert (noted.method, noted.path) == ("PATCH", "/restapis/abc/stages/prod")


def test_the_description_is_open_and_what_is_binary_stays_so(site: Site) -> None:
    """Any media type comes and goes as bytes; only POST goes by `auth`."""
    there = ensured(replace(site, settings=replace(site.settings, auth="key")))
    url = there.deployment.resources["api"]["url"]
    try:
        gateway = site.aws.apigateway
        api = gateway.get_rest_api(restApiId=there.deployment.resources["api"]["id"])
        assert api["binaryMediaTypes"] == ["*/*"]
        described = requests.get(f"{url}openapi.json", timeout=10)
        assert (described.status_code, described.json()["path"]) == (200, "/openapi.json")
        assert requests.options(f"{url}openapi.json", timeout=10).status_code == 200
        assert requests.post(f"{url}openapi.json", timeout=10).status_code == 403
        assert requests.post(url, timeout=10).status_code == 403
    finally:
        removed(there)


def test_a_mock_converts_what_came_as_bytes(site: Site) -> None:
    """AWS answers a preflight with 500 otherwise, once every type is binary; the local cloud does not show it."""
    there = ensured(site)
    try:
        methods = {
            f"{verb} {resource['path']}": method["methodIntegration"]
            for resource in site.aws.apigateway.get_resources(
                restApiId=there.deployment.resources["api"]["id"], embed=["methods"]
            )["items"]
            for verb, method in resource.get("resourceMethods", {}).items()
        }
        assert set(methods) == {"GET /", "POST /", "OPTIONS /", "GET /openapi.json", "OPTIONS /openapi.json"}
        mocks = [method for method in methods.values() if method["type"] == "MOCK"]
        assert [mock["contentHandling"] for mock in mocks] == ["CONVERT_TO_TEXT"] * 2
    finally:
        removed(there)


def test_an_api_of_before_is_brought_up_to_date(site: Site) -> None:
    there = ensured(site)
    gateway, api = site.aws.apigateway, there.deployment.resources["api"]["id"]
    try:
        resources = {r["path"]: r["id"] for r in gateway.get_resources(restApiId=api)["items"]}
        gateway.delete_resource(restApiId=api, resourceId=resources["/openapi.json"])
        gateway.put_integration(
            restApiId=api,
            resourceId=resources["/"],
            httpMethod="OPTIONS",
            type="MOCK",
            requestTemplates={"application/json": '{"statusCode": 200}'},
        )
        _, change = Api().ensure(there, Api().find(there))
        assert set(change.differences) == {"GET /openapi.json", "OPTIONS /openapi.json", "OPTIONS /"}
        assert Api().change(there, Api().find(there)).action == "keep"
        assert requests.get(f"{there.deployment.resources['api']['url']}openapi.json", timeout=10).status_code == 200
    finally:
        removed(site)
