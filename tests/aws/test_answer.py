"""Answers of AWS that lack fields, or hold odd ones: a sentence from everything that looks things up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdacap.aws.answer import document
from lambdacap.aws.clients import LOCAL_KEY, Aws, connect, found, translated
from lambdacap.deployment.record import Deployment
from lambdacap.errors import AwsError, LambdacapError
from lambdacap.events import silent
from lambdacap.insight import logs
from lambdacap.resources import RESOURCES, Resource, Site
from lambdacap.settings import Settings
from tests.servers import Answer, Server, serving

DEPLOYMENT = Deployment("captions", "aws", "123456789012", "eu-central-1")
FIELDS = (
    *("repositories", "repositoryName", "repositoryUri", "imageDetails", "imageDigest", "imageTags", "tags", "items"),
    *(
        "id",
        "name",
        "Configuration",
        "Code",
        "FunctionName",
        "FunctionArn",
        "Environment",
        "Variables",
        "Tags",
        "State",
    ),
    *("logGroups", "logGroupName", "arn", "retentionInDays", "events", "timestamp", "message", "logStreamName", "path"),
    *("State", "ReservedConcurrentExecutions", "resourceMethods", "methodIntegration", "uri", "Budgets", "BudgetName"),
    *(
        "binaryMediaTypes",
        "apiStages",
        "throttle",
        "quota",
        "Aliases",
        "Versions",
        "Version",
        "FunctionVersion",
        "Layers",
    ),
)
SAID = ("captions", "Active", "$LATEST", "/", "POST", "x", "", 0, 3008, -1, 2**70, True, None, "\x1b]0;owned\x07")
PAGES = (
    "<GetRoleResponse><GetRoleResult><Role></Role></GetRoleResult></GetRoleResponse>",
    "<GetRoleResponse><GetRoleResult><Role><RoleName>x</RoleName></Role></GetRoleResult></GetRoleResponse>",
    "<html>a portal's page</html>",
    "{}",
    "",
)


@st.composite
def objects(draw: st.DrawFn, depth: int = 3) -> dict[str, Any]:
    """An object of fields that AWS's answers have, each with a value of any kind."""
    content: dict[str, Any] = {}
    for field in draw(st.lists(st.sampled_from(FIELDS), max_size=5, unique=True)):
        kind = draw(st.integers(0, 3)) if depth else 0
        if kind == 0:
            content[field] = draw(st.sampled_from(SAID))
        elif kind == 1:
            content[field] = draw(objects(depth - 1))
        else:
            content[field] = [draw(objects(depth - 1)) if kind == 2 else draw(st.sampled_from(SAID))]
    return content


@st.composite
def bodies(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(PAGES)) if draw(st.integers(0, 3)) == 0 else json.dumps(draw(objects()))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(Answer()) as one:
        yield one


@pytest.fixture(scope="module")
def site(server: Server) -> Site:
    """At an endpoint that answers whatever it is told to."""
    session = boto3.Session(aws_access_key_id=LOCAL_KEY, aws_secret_access_key=LOCAL_KEY, region_name="eu-central-1")
    aws = Aws(session, "eu-central-1", server.url)
    aws.account = "123456789012"
    return Site(aws, Settings(auth="key", budget=5, alarm_email="a@b.c"), DEPLOYMENT, silent)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(bodies(), min_size=1, max_size=4), status=st.sampled_from((200, 200, 200, 404)))
def test_whatever_is_answered_is_found_missing_or_a_sentence(
    resource: Resource, answers: list[str], status: int, server: Server, site: Site
) -> None:
    server.answers[:] = [Answer(status, body.encode("utf-8", "replace")) for body in answers]
    try:
        with translated(site.aws):
            resource.find(site)
    except LambdacapError as error:
        assert len(error.message) < 2000, error.message  # noqa: PT017 - most answers raise none


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=objects())
def test_a_log_that_holds_anything(body: dict[str, Any], server: Server, site: Site) -> None:
    body.pop("nextToken", None)
    server.answers[:] = [Answer(200, json.dumps(body).encode())]
    try:
        logs.read(site.aws, "captions", 0, limit=10)
    except LambdacapError as error:
        assert error.hint  # noqa: PT017 - most answers raise none


def test_a_missing_field_is_named_and_others_are_as_they_were(server: Server, site: Site) -> None:
    server.answers[:] = [Answer(200, b'{"Configuration": {"FunctionName": "captions"}}')]
    answer = site.aws.lambda_.get_function(FunctionName="captions")
    assert answer["Configuration"]["FunctionName"] == "captions"
    assert answer["Configuration"] == {"FunctionName": "captions"}
    assert answer["Configuration"].get("State") is None
    with pytest.raises(AwsError, match="the answer to GetFunction lacks MemorySize") as caught:
        found(lambda: answer["Configuration"]["MemorySize"], "ResourceNotFoundException")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({"FunctionName": 5}, "has no string in FunctionName, but 5"),
        ({"MemorySize": "much"}, "cannot be read: invalid literal for int() with base 10: 'much'"),
        ({"Layers": [None]}, "has no structure in Layers, but None"),
        ({"Environment": {"Variables": {"A": ["x"]}}}, "has no string in Variables, but ['x']"),
    ],
)
def test_a_field_of_another_kind_is_named(configuration: dict[str, Any], told: str, server: Server, site: Site) -> None:
    server.answers[:] = [Answer(200, json.dumps({"Configuration": configuration}).encode())]
    with pytest.raises(AwsError) as caught:
        site.aws.lambda_.get_function(FunctionName="captions")
    assert told in caught.value.message
    assert caught.value.hint


def test_the_first_of_none(server: Server, site: Site) -> None:
    server.answers[:] = [Answer(200, b'{"Versions": []}')]
    listed = site.aws.lambda_.list_versions_by_function(FunctionName="captions")["Versions"]
    assert (listed, listed[:1]) == ([], [])
    with pytest.raises(AwsError, match="has nothing in Versions"):
        listed[0]


@pytest.mark.parametrize("text", ["", "no JSON", "[" * 100_000])
def test_a_document_that_is_none_is_another_one(text: str) -> None:
    assert document(text) == text
    assert document('{"a": [1]}') == {"a": [1]}
    assert document({"a": 1}) == {"a": 1}


@pytest.mark.parametrize("account", ["", "../../x", "12345678901", "١٢٣٤٥٦٧٨٩٠١٢"])
def test_an_account_is_a_number(account: str, server: Server) -> None:
    told = f"<GetCallerIdentityResult><Account>{account}</Account><Arn>x</Arn></GetCallerIdentityResult>"
    answer = f"<GetCallerIdentityResponse>{told}</GetCallerIdentityResponse>"
    server.answers[:] = [Answer(200, answer.encode(), "text/xml")]
    with pytest.raises(AwsError, match="which is none"):
        connect(region="eu-central-1", profile=None, endpoint=server.url)
