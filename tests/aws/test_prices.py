"""What AWS charges: by a Price List in its documented form, and by the table when there is none."""

from __future__ import annotations

import json

import pytest

from lambdacap.aws.clients import Aws, connect
from lambdacap.aws.prices import prices, table
from tests.aws.test_clients import IDENTITY, json_refusal
from tests.servers import Answer, serving

OURS = {"AWSLambda": 0, "AmazonApiGateway": 1, "AmazonECR": 2}


def product(tiers: dict[str, str], **attributes: str) -> str:
    """A product as in the billing guide's "Reading a price list"; `tiers`: from how many units on → dollars."""
    dimensions = {
        f"x.{start}": {"beginRange": start, "pricePerUnit": {"USD": price}, "unit": "x"}
        for start, price in tiers.items()
    }
    terms = {"OnDemand": {"x": {"priceDimensions": dimensions}}}
    return json.dumps({"product": {"attributes": {"regionCode": "eu-central-1", **attributes}}, "terms": terms})


def answer(*products: str) -> Answer:
    return Answer(body=json.dumps({"FormatVersion": "aws_v1", "PriceList": products}).encode())


FUNCTIONS = answer(
    product({"15000000000": "0.0000133334", "0": "0.0000177778"}, group="AWS-Lambda-Duration"),
    product({"0": "0.0000142223"}, group="AWS-Lambda-Duration-ARM"),
    product({"0": "0.0000041667"}, group="AWS-Lambda-Provisioned-Concurrency"),
    product({"0": "0.0000002500"}, group="AWS-Lambda-Requests"),
    product({"0": "0.0000002600"}, group="AWS-Lambda-Requests-ARM"),
)
GATEWAY = answer(
    product({"0": "0.0000012000"}, usagetype="EUC1-ApiGatewayHttpRequest"),
    product({"333000000": "0.0000030600", "0": "0.0000037000"}, usagetype="EUC1-ApiGatewayRequest"),
)
REGISTRY = answer(
    product({"0": "0.0000000000", "50": "0.1100000000"}, usagetype="EUC1-TimedStorage-ByteHrs"),
    product({"0": "0.0900000000"}, usagetype="EUC1-DataTransfer-Out-Bytes"),
)


def at(monkeypatch: pytest.MonkeyPatch, url: str) -> Aws:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    return connect(region="eu-central-1", profile=None, endpoint=None)


@pytest.mark.parametrize(
    ("architecture", "second", "invocation"), [("x86_64", 0.0000177778, 0.25e-6), ("arm64", 0.0000142223, 0.26e-6)]
)
def test_the_price_list(architecture: str, second: float, invocation: float, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(IDENTITY, FUNCTIONS, GATEWAY, REGISTRY) as server:
        asked = prices(at(monkeypatch, server.url), architecture)
    # The first tier that costs something, of exactly the product that is meant.
    assert (asked.gb_second, asked.invocation, asked.request, asked.gb_month) == (second, invocation, 3.7e-6, 0.11)
    assert asked.source == "AWS's Price List, asked just now (eu-central-1)"
    queries = [json.loads(asked.body) for asked in server.asked[1:]]
    assert [query["ServiceCode"] for query in queries] == ["AWSLambda", "AmazonApiGateway", "AmazonECR"]
    assert queries[0]["Filters"] == [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": "eu-central-1"}]
    assert "/eu-central-1/pricing/" in server.asked[1].headers["authorization"]


def test_the_price_list_has_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Answer(body=json.dumps({"FormatVersion": "aws_v1", "PriceList": [], "NextToken": "more"}).encode())
    with serving(IDENTITY, first, FUNCTIONS, GATEWAY, REGISTRY) as server:
        asked = prices(at(monkeypatch, server.url), "x86_64")
    assert asked.gb_second == 0.0000177778
    assert [json.loads(one.body).get("NextToken") for one in server.asked[1:3]] == [None, "more"]


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (json_refusal("AccessDeniedException", "not authorized"), "not authorized (AccessDeniedException)"),
        (Answer(503, b"busy"), "pricing:GetProducts"),
        (Answer(body=b'{"PriceList": []}'), "was not understood"),
        (Answer(body=b'{"PriceList": ["{"]}'), "was not understood"),
        (Answer(body=b'{"PriceList": ["{\\"product\\": 1}"]}'), "was not understood"),
        (answer(product({"0": "0"}, group="AWS-Lambda-Duration")), "was not understood"),
        (answer(*(product({"0": price}, group="AWS-Lambda-Duration") for price in "12")), "was not understood"),
    ],
)
def test_without_one_it_is_the_table_which_says_so(second: Answer, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(IDENTITY, second) as server:
        asked = prices(at(monkeypatch, server.url), "x86_64")
    assert (asked.gb_second, asked.request, asked.gb_month) == (0.0000166667, 3.5e-6, 0.1)
    assert asked.source.startswith("lambdacap's table of November 2026 (us-east-1, eu-central-1's may differ), since")
    assert why in asked.source


def test_the_local_cloud_is_not_asked() -> None:
    with serving(IDENTITY) as server:
        local = prices(connect(region=None, profile=None, endpoint=server.url), "arm64")
    assert local == table("us-east-1", "arm64")
    assert "us-east-1)" in local.source
    assert len(server.asked) == 1
