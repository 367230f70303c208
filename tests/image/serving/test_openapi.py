"""The description is valid, and says what requests are checked by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from openapi_spec_validator import validate
from serving.contract import contract
from serving.openapi import document

from tests.image.serving import predictors

ALL = ("values", "picture", "sound", "text", "file", "records", "marked", "sepia", "parts", "old", "typed_old")


@pytest.mark.parametrize("name", ALL)
def test_it_is_valid(name: str) -> None:
    made = document(contract(predictors.module(getattr(predictors, name))))
    validate(made)
    assert made["openapi"].startswith("3.1")
    assert made["info"]["title"] == "Tests things"


def operation(predict: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = document(contract(predictors.module(predict)))["paths"]["/"]["post"]
    return found


def test_bodies_and_parameters_follow_from_the_signature() -> None:
    for predict, bodies, query in (
        (predictors.values, set(), set(predictors.values.__annotations__) - {"return"}),
        (predictors.picture, {"image/*"}, {"top"}),
        (predictors.sound, {"audio/*"}, {"gain"}),
        (predictors.text, {"text/plain"}, {"times"}),
        (predictors.file, {"application/octet-stream"}, set()),
    ):
        made = operation(predict)
        assert set(made["requestBody"]["content"]) == bodies | {"multipart/form-data", "application/json"}
        assert {parameter["name"] for parameter in made["parameters"]} == query
    assert set(operation(predictors.old)["requestBody"]["content"]) == {"image/*"}
    assert operation(predictors.old)["parameters"] == []


def test_bounds_defaults_and_descriptions_are_told() -> None:
    count = next(p for p in operation(predictors.values)["parameters"] if p["name"] == "count")
    assert count["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 10,
        "default": 5,
        "description": "how many",
    }


def test_answers_are_described() -> None:
    def content(predict: Callable[..., Any]) -> dict[str, Any]:
        found: dict[str, Any] = operation(predict)["responses"]["200"]["content"]
        return found

    assert set(content(predictors.sepia)) == {"image/png", "image/jpeg", "image/webp"}
    assert set(content(predictors.sound)) == {"audio/wav"}
    assert content(predictors.parts)["application/json"]["schema"] == {"type": "array", "items": {"type": "string"}}
    assert content(predictors.text)["application/json"]["schema"] == {"type": "string"}
    assert "$ref" in content(predictors.records)["application/json"]["schema"]["items"]


def test_arrays_and_numbers_of_numpy_are_described() -> None:
    def array() -> np.ndarray[Any, Any]:
        return np.zeros(3)

    def number() -> np.float32:
        return np.float32(1)

    def whole() -> dict[str, np.int64]:
        return {}

    kinds = {"array": array, "number": number, "object": whole}
    for kind, predict in kinds.items():
        schema = operation(predict)["responses"]["200"]["content"]["application/json"]["schema"]
        assert schema["type"] == kind
    assert schema["additionalProperties"] == {"type": "integer"}
