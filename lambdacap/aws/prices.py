"""What AWS charges: asked of its Price List, else from a table that says of when it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lambdacap.aws.clients import Aws, translated
from lambdacap.errors import AwsError, CredentialsError

TABLE_DATE = "November 2026"
_TABLE_REGION = "us-east-1"
_SAME_PRICES = (_TABLE_REGION, "us-east-2", "us-west-2", "eu-west-1")


@dataclass(frozen=True)
class Prices:
    """In US dollars, without the free tier and the discounts of great volumes.

    `gb_second` is Lambda's for a GB of memory and second, `invocation` its price of one, `request` the REST API's of
    one, `gb_month` ECR's for storage. `source` says where they are from.
    """

    gb_second: float
    invocation: float
    request: float
    gb_month: float
    source: str

    def per_thousand(self, memory: int, seconds: float) -> float:
        """For 1,000 predictions of so many seconds at `memory` MB: Lambda's time, its requests, and the gateway's."""
        return 1000 * (memory / 1024 * seconds * self.gb_second + self.invocation + self.request)


def table(region: str, architecture: str) -> Prices:
    """The prices that were looked up for this version, of `region` or, said in `source`, of us-east-1."""
    where = region if region in _SAME_PRICES else f"{_TABLE_REGION}, {region}'s may differ"
    return Prices(
        gb_second=0.0000133334 if architecture == "arm64" else 0.0000166667,
        invocation=0.20e-6,
        request=3.50e-6,
        gb_month=0.10,
        source=f"lambdacap's table of {TABLE_DATE} ({where})",
    )


def prices(aws: Aws, architecture: str) -> Prices:
    """Today's prices in the region by AWS's Price List, or the table's when that cannot be asked or understood.

    Nothing is asked for the local cloud.
    """
    fallback = table(aws.region, architecture)
    if aws.endpoint or aws.partition != "aws":
        return fallback
    suffix = "-ARM" if architecture == "arm64" else ""
    try:
        with translated(aws):
            functions = _products(aws, "AWSLambda")
            return Prices(
                gb_second=_price(functions, "group", f"AWS-Lambda-Duration{suffix}"),
                invocation=_price(functions, "group", f"AWS-Lambda-Requests{suffix}"),
                request=_price(_products(aws, "AmazonApiGateway"), "usagetype", "ApiGatewayRequest"),
                gb_month=_price(_products(aws, "AmazonECR"), "usagetype", "TimedStorage-ByteHrs"),
                source=f"AWS's Price List, asked just now ({aws.region})",
            )
    except (AwsError, CredentialsError) as error:
        # No permission, no network: an estimate is no reason to stop.
        return replace(fallback, source=f"{fallback.source}, since {error.message}")
    except (LookupError, ValueError, TypeError, AttributeError):
        return replace(fallback, source=f"{fallback.source}, since AWS's Price List was not understood")


def _products(aws: Aws, service: str) -> list[Any]:
    """A service's products in the region, in the form of the guide's "Reading a price list"."""
    pages = aws.pricing.get_paginator("get_products").paginate(
        ServiceCode=service,
        Filters=[{"Type": "TERM_MATCH", "Field": "regionCode", "Value": aws.region}],
        FormatVersion="aws_v1",
        PaginationConfig={"PageSize": 100},
    )
    return [json.loads(product) for page in pages for product in page["PriceList"]]


def _price(products: list[Any], attribute: str, value: str) -> float:
    """Dollars a unit of the first paid tier; usage types begin with a region's letters, `EUC1-`, or without any.

    Raises `LookupError` unless the products that fit have one price.
    """
    first = {
        next((price for _, price in sorted(_tiers(product)) if price > 0), 0.0)
        for product in products
        if (found := product["product"]["attributes"].get(attribute, "")) == value
        or (attribute == "usagetype" and found.endswith(f"-{value}"))
    } - {0.0}
    if len(first) != 1:
        raise LookupError(f"{value} has the prices {first}")
    return first.pop()


def _tiers(product: Any) -> Iterator[tuple[float, float]]:  # noqa: ANN401 - the Price List's own shape
    """(from how many units on, dollars a unit) for what is paid as it is used."""
    for term in product["terms"]["OnDemand"].values():
        for dimension in term["priceDimensions"].values():
            yield float(dimension["beginRange"]), float(dimension["pricePerUnit"]["USD"])
