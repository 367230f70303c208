"""The Amazon API Gateway REST API: POST and GET go to the function, OPTIONS answers for CORS."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from lambdacap.aws.answer import document
from lambdacap.aws.clients import TAG, Aws, code, found, text
from lambdacap.events import Progress
from lambdacap.resources.api.gateway_response import gateway_responses, present_responses, put_responses
from lambdacap.resources.api.method import DESCRIPTION, METHODS, auth_of, methods, put_method, summary
from lambdacap.resources.api.patience import patiently
from lambdacap.resources.function.release import LIVE, unhindered
from lambdacap.resources.resource import Change, Properties, Resource, Site, State, check_owner

STAGE = "prod"
BINARY_MEDIA_TYPES = ["*/*"]
"""Of a caller's `Accept` only the first type counts, and nobody can foresee it: AWS's own advice for such APIs."""
MINIMUM_COMPRESSION_SIZE = 1024
"""Bytes from which on the gateway compresses its answers: the web page, and the grids of attention. The function
cannot: a browser's `Accept` begins with text, and for that the gateway leaves base64 as it is."""
PAGE_RATE, PAGE_BURST = 2, 20
"""Of GET, in requests a second and at once, where `--rate` and `--burst` are not lower still: anybody may ask for the
page and the description, key or not, and each time starts the function. Browsers keep the page."""
_PAGES = ("~1/GET", f"~1{DESCRIPTION}/GET")
STATEMENT = "lambdacap-api"
_CONFIGURATION = (*METHODS, "errors", "binary media types", "minimum compression size")
_FINGERPRINT = "configuration"
"""The stage variable that says which configuration the stage serves: changes need a new deployment."""
_UNFINISHED = "unfinished"


class Api(Resource):
    kind = "api"
    title = "API Gateway REST API"
    step = "create-api"

    def find(self, site: Site) -> State | None:
        gateway = site.aws.apigateway
        pages = gateway.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 500})
        named = [api for page in pages for api in page["items"] if api["name"] == site.name]
        if not named:
            return None
        # Names of APIs are not unique: ours first, of several the one that is known; somebody else's is refused below.
        ours = [api for api in named if api.get("tags", {}).get(TAG) == site.name]
        known = site.deployment.resources.get(self.kind, {}).get("id")
        api = max(ours or named, key=lambda api: api["id"] == known)
        check_owner(site, f"the REST API {site.name} ({api['id']})", api.get("tags", {}))
        stage = found(lambda: gateway.get_stage(restApiId=api["id"], stageName=STAGE), "NotFoundException")
        present = self._resources(site.aws, api["id"])
        there = {method: summary(_method(present, method)) for method in METHODS}
        return State(
            _identity(site.aws, api["id"], auth_of(there["POST /"])),
            {
                "binary media types": sorted(kind.replace("~1", "/") for kind in api.get("binaryMediaTypes", [])),
                "minimum compression size": api.get("minimumCompressionSize"),
                **there,
                "errors": present_responses(site.aws, api["id"]),
                "throttle": _throttle(stage),
                "permission": _granted(site),
                "stage": stage.get("variables", {}).get(_FINGERPRINT) if stage else None,
                # Of a call whose answer was lost: AWS had made the API, and was asked once more.
                "spare": sorted(other["id"] for other in ours if other["id"] != api["id"]),
            },
        )

    def wanted(self, site: Site) -> Properties:
        api = site.deployment.resources.get(self.kind, {}).get("id", "")
        function = site.aws.arn("lambda", f"function:{site.name}")
        uri = (
            f"arn:{site.aws.partition}:apigateway:{site.aws.region}:lambda:path/2015-03-31/functions/"
            f"{function}:{LIVE}/invocations"
        )
        configuration: dict[str, object] = {
            "binary media types": BINARY_MEDIA_TYPES,
            "minimum compression size": MINIMUM_COMPRESSION_SIZE,
            **methods(uri, site.settings.auth, site.settings.origin),
            "errors": gateway_responses(site.settings.origin),
        }
        return {
            **configuration,
            "throttle": {
                "rate": site.settings.rate,
                "burst": site.settings.burst,
                "page rate": min(PAGE_RATE, site.settings.rate),
                "page burst": min(PAGE_BURST, site.settings.burst),
            },
            "permission": site.aws.arn("execute-api", f"{api}/{STAGE}/*/*"),
            "stage": _fingerprint(configuration),
            "spare": [],
        }

    def create(self, site: Site) -> State:
        site.report(Progress(self.kind, "creating the API"))
        api = patiently(
            site,
            lambda: site.aws.apigateway.create_rest_api(
                name=site.name,
                description="made by lambdacap",
                binaryMediaTypes=BINARY_MEDIA_TYPES,
                minimumCompressionSize=MINIMUM_COMPRESSION_SIZE,
                endpointConfiguration={"types": ["REGIONAL"]},
                tags=site.tags,
            ),
        )
        properties = {
            "binary media types": BINARY_MEDIA_TYPES,
            "minimum compression size": MINIMUM_COMPRESSION_SIZE,
            "spare": [],
        }
        state = State(_identity(site.aws, api["id"], site.settings.auth), properties)
        here = replace(site, deployment=site.deployment.having(self.kind, state.identity))
        return self.update(here, state, self.change(here, state))

    def left(self, state: State, anew: Set[str]) -> State | None:
        """The permission stands in the policy of the function's alias."""
        return State(state.identity, {**state.properties, "permission": None}) if "function" in anew else state

    def update(self, site: Site, state: State, change: Change) -> State:
        gateway, api = site.aws.apigateway, state.identity["id"]
        wanted: Any = self.wanted(site)
        if state.properties.get("stage") and change.differences.keys() & {*_CONFIGURATION}:
            # Until it is deployed: whoever is cut short in between leaves a stage that says so.
            self._note_configuration(site, api, _UNFINISHED)
        if "binary media types" in change.differences:
            self._put_binary_media_types(site, api, state.properties["binary media types"])
        if "minimum compression size" in change.differences:
            gateway.update_rest_api(
                restApiId=api,
                patchOperations=[
                    {"op": "replace", "path": "/minimumCompressionSize", "value": str(MINIMUM_COMPRESSION_SIZE)}
                ],
            )
        self._put_methods(site.aws, api, {name: wanted[name] for name in METHODS if name in change.differences})
        if "permission" in change.differences:
            self._forbid(site)  # what is there under that name, for whatever source, would be in the way
            self._permit(site, wanted["permission"])
        if "errors" in change.differences:
            put_responses(site.aws, api, wanted["errors"])
        if change.differences.keys() & {*_CONFIGURATION, "stage"}:
            self._deploy(site, api, wanted["stage"])
        if change.differences.keys() & {"throttle", "stage"}:
            self._put_throttle(site, api, wanted["throttle"])
        if "spare" in change.differences:
            self._delete(site, change.differences["spare"][0])
        return State({**state.identity, "auth": site.settings.auth}, wanted)

    def remove(self, site: Site, state: State) -> None:
        site.report(Progress(self.kind, "deleting the API"))
        spare: Any = state.properties["spare"]
        self._delete(site, [*spare, state.identity["id"]])

    def _delete(self, site: Site, apis: Any) -> None:  # noqa: ANN401 - ids, as a property holds them
        for api in apis:
            found(
                lambda a=api: patiently(site, lambda: site.aws.apigateway.delete_rest_api(restApiId=a)),  # type: ignore[misc]
                "NotFoundException",
            )

    def _permit(self, site: Site, source: str) -> None:
        try:
            unhindered(
                site,
                lambda: site.aws.lambda_.add_permission(
                    FunctionName=site.name,
                    Qualifier=LIVE,
                    StatementId=STATEMENT,
                    Action="lambda:InvokeFunction",
                    Principal="apigateway.amazonaws.com",
                    SourceArn=source,
                ),
            )
        except ClientError as error:
            # It is there when the answer was lost and botocore asked again.
            if code(error) != "ResourceConflictException" or "already exists" not in text(error):
                raise

    def _forbid(self, site: Site) -> None:
        found(
            lambda: site.aws.lambda_.remove_permission(FunctionName=site.name, Qualifier=LIVE, StatementId=STATEMENT),
            "ResourceNotFoundException",
        )

    def _resources(self, aws: Aws, api: str) -> dict[str, Any]:
        """The API's resources, with their methods, by path."""
        resources = aws.apigateway.get_resources(restApiId=api, embed=["methods"], limit=500)["items"]
        return {resource["path"]: resource for resource in resources}

    def _put_methods(self, aws: Aws, api: str, methods: Mapping[str, Any]) -> None:
        """Make methods anew, and the resource that they are on."""
        present = self._resources(aws, api) if methods else {}
        if any(method.endswith(f"/{DESCRIPTION}") for method in methods) and f"/{DESCRIPTION}" not in present:
            root = present["/"]["id"]
            found(  # it is there when the answer was lost and botocore asked again
                lambda: aws.apigateway.create_resource(restApiId=api, parentId=root, pathPart=DESCRIPTION),
                "ConflictException",
            )
            present = self._resources(aws, api)
        for method, wanted in methods.items():
            verb, path = method.split(" ")
            resource = present[path]
            if verb in resource.get("resourceMethods", {}):
                aws.apigateway.delete_method(restApiId=api, resourceId=resource["id"], httpMethod=verb)
            put_method(aws, api, resource["id"], verb, wanted)

    def _put_binary_media_types(self, site: Site, api: str, present: Any) -> None:  # noqa: ANN401
        operations: Any = [
            {"op": op, "path": "/binaryMediaTypes/" + kind.replace("/", "~1")}
            for op, kinds in (
                ("remove", set(present) - set(BINARY_MEDIA_TYPES)),
                ("add", set(BINARY_MEDIA_TYPES) - set(present)),
            )
            for kind in sorted(kinds)
        ]
        if operations:
            site.aws.apigateway.update_rest_api(restApiId=api, patchOperations=operations)

    def _put_throttle(self, site: Site, api: str, limits: Any) -> None:  # noqa: ANN401 - as `wanted` gives it
        """For all callers together; it holds at once, without a new deployment."""
        operations: Any = [
            {"op": "replace", "path": f"/{method}/throttling/{limit}Limit", "value": str(limits[f"{name}{limit}"])}
            for method, name in (("*/*", ""), *((page, "page ") for page in _PAGES))
            for limit in ("rate", "burst")
        ]
        site.aws.apigateway.update_stage(restApiId=api, stageName=STAGE, patchOperations=operations)

    def _deploy(self, site: Site, api: str, fingerprint: str) -> None:
        """Put the present configuration live, drop the deployments that are not, and say last that it is done."""
        gateway = site.aws.apigateway
        made = patiently(
            site,
            lambda: gateway.create_deployment(
                restApiId=api, stageName=STAGE, variables={_FINGERPRINT: _UNFINISHED}, description="lambdacap"
            ),
        )["id"]
        stages = {stage["stageName"]: stage for stage in gateway.get_stages(restApiId=api)["item"]}
        ours: Any = stages.pop(STAGE)
        if canary := ours.get("canarySettings"):
            # A canary gets the new deployment alone, and a share of the callers: all are to have it.
            gateway.update_stage(
                restApiId=api,
                stageName=STAGE,
                patchOperations=[
                    {"op": "replace", "path": "/deploymentId", "value": made},
                    {"op": "remove", "path": "/canarySettings"},
                ],
            )
        # AWS deletes none that a stage uses, and stages may be others'.
        used = {made if canary else ours["deploymentId"]}
        for stage in stages.values():
            used |= {stage["deploymentId"], stage.get("canarySettings", {}).get("deploymentId")}
        for old in gateway.get_deployments(restApiId=api, limit=500)["items"]:
            if old["id"] not in used:
                self._delete_deployment(site, api, old["id"])
        self._note_configuration(site, api, fingerprint)

    def _delete_deployment(self, site: Site, api: str, deployment: str) -> None:
        try:
            found(
                lambda: site.aws.apigateway.delete_deployment(restApiId=api, deploymentId=deployment),
                "NotFoundException",
            )
        except ClientError as error:
            if code(error) != "BadRequestException" or "Active stages" not in text(error):
                raise  # else somebody has just pointed a stage at it: the next deploy sees to it

    def _note_configuration(self, site: Site, api: str, fingerprint: str) -> None:
        site.aws.apigateway.update_stage(
            restApiId=api,
            stageName=STAGE,
            patchOperations=[{"op": "replace", "path": f"/variables/{_FINGERPRINT}", "value": fingerprint}],
        )


def _method(resources: Mapping[str, Any], method: str) -> Any:  # noqa: ANN401 - API Gateway's own shape
    verb, path = method.split(" ")
    return resources.get(path, {}).get("resourceMethods", {}).get(verb)


def _throttle(stage: Any) -> dict[str, object] | None:  # noqa: ANN401 - API Gateway's own shape
    settings = stage.get("methodSettings", {}) if stage else {}
    if "*/*" not in settings:
        return None
    # The local cloud does not escape the path.
    pages = [settings.get(page) or settings.get(page.replace("~1", "/")) or {} for page in _PAGES]
    limits: dict[str, object] = {}
    for limit in ("rate", "burst"):
        key = f"throttling{limit.capitalize()}Limit"
        limits[limit] = settings["*/*"].get(key)
        said = {page.get(key) for page in pages}
        limits[f"page {limit}"] = said.pop() if len(said) == 1 else None
    return limits


def _identity(aws: Aws, api: str, auth: str) -> dict[str, str]:
    """With `auth`: who calls the API has to know."""
    if aws.endpoint:
        url = f"{aws.endpoint}/restapis/{api}/{STAGE}/_user_request_/"
    else:
        url = f"https://{api}.execute-api.{aws.region}.{aws.domain}/{STAGE}/"
    return {"id": api, "url": url, "auth": auth}


def _granted(site: Site) -> str | None:
    """The source ARN from which the function may be invoked by the gateway, as it stands."""
    answer = found(
        lambda: site.aws.lambda_.get_policy(FunctionName=site.name, Qualifier=LIVE), "ResourceNotFoundException"
    )
    policy = document(answer["Policy"]) if answer else None
    with contextlib.suppress(AttributeError, LookupError, TypeError):  # no policy as they are: it is put there anew
        for statement in policy["Statement"] if policy else []:
            if statement.get("Sid") == STATEMENT:
                conditions = statement.get("Condition", {})
                source: str | None = conditions.get("ArnLike", {}).get("AWS:SourceArn")
                return source or "anywhere"
    return None


def _fingerprint(configuration: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:16]
