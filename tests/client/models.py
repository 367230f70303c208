"""Contracts of the predictors in `tests/image/serving`, as their deployments describe them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from serving.contract import contract as served
from serving.gateway import Request as Served
from serving.inputs import arguments
from serving.inputs.uploads import Files
from serving.openapi import document

from lambdacap.client.contract import Contract, read
from lambdacap.client.request import Request
from tests.image.serving import predictors

Predict = Callable[..., Any]


def described(predict: Predict) -> Contract:
    """What a client reads of a predictor, over JSON."""
    return read(json.loads(json.dumps(document(served(predictors.module(predict))))), "http://x/")


def arrived(predict: Predict, request: Request) -> dict[str, Any]:
    """What `predict` is called with for a request."""
    prepared = requests.Request("POST", "http://x/", params=dict(request.query)).prepare()
    queries: Mapping[str, tuple[str, ...]] = {name: (value,) for name, value in request.query.items()}
    assert len(urlsplit(prepared.url or "").query) < 4000
    headers = {"content-type": request.media_type}
    http = Served("POST", "/", headers, dict(request.query), queries, request.body, binary=True)
    with Files({}) as files:
        return arguments(http, served(predictors.module(predict)), files)
