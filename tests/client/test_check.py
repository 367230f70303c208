"""Values are checked by a stranger's schema: in words, and whatever it says."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdacap.client.check import check
from lambdacap.client.contract import Contract, Parameter, read
from lambdacap.client.inputs import assignments
from lambdacap.client.inputs import given as values
from lambdacap.client.request import request as to_send
from lambdacap.errors import CallError, InputError, LambdacapError
from tests.client.models import described
from tests.drawn import JSON
from tests.image.serving import predictors

V, R = described(predictors.values), described(predictors.records)


@pytest.mark.parametrize(
    ("contract", "typed", "said"),
    [
        (V, ["count=0"], "count: expected a whole number from 1 to 10, got 0"),
        (V, ["count=11"], "count: expected a whole number from 1 to 10, got 11"),
        (V, ["count=three"], 'count: expected a whole number from 1 to 10, got "three"'),
        (V, ["count=3.5"], "count: expected a whole number from 1 to 10, got 3.5"),
        (V, ["count="], "count: expected a whole number"),
        (V, ["count=1", "count=2"], "count is given 2 times; it takes one value"),
        (V, ["share=1"], "share: expected a number from 0 below 1, got 1"),
        (V, ["share=nan"], 'share: expected a number from 0 below 1, got "nan"'),
        (V, ["share=1e999"], "share: expected a number"),
        (V, ["unit=feet"], "unit: expected one of pixels, share"),
        (V, ["colour=green"], "colour: expected one of "),
        (V, ["exact=maybe"], 'exact: expected true or false, got "maybe"'),
        (V, ["name=toolong"], "name: expected text with a length from 1 to 5"),
        (V, ["tags=[1]"], "tags[0]: expected text, got 1"),
        (V, ["start={}"], "start.x is missing"),
        (V, ['start={"x": "a"}'], 'start.x: expected a number, got "a"'),
        (V, ['start={"x": 1, "z": 2}'], "start.z is unknown; there are: x, y"),
        (V, ["start=5"], "start: expected an object, got 5"),
        (V, ['places={"k": {"name": "n", "points": [{"x": 1, "q": 1}]}}'], "places.k.points[0].q is unknown"),
        (V, ["cuont=3"], "cuont is unknown; did you mean count?"),
        (V, ["zzz=3"], "zzz is unknown; there are: count, share, unit"),
        (R, [], "points is missing: give it by FILE"),
        (described(predictors.picture), ["photo=dog.jpg"], "photo takes a file: -i photo=@FILE"),
        (described(predictors.picture), ["top=1"], "photo is missing: give it by FILE"),
        (described(predictors.picture), ["photo=@"], "photo=@ names no file"),
        (described(predictors.text), ["words=@/no/such"], "there is no file /no/such"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_sent(contract: Contract, typed: list[str], said: str) -> None:
    with pytest.raises(InputError) as told:
        values(contract, assignments(typed), file=False)
    assert told.value.message.startswith(said)
    assert len(told.value.message) < 400


NOT_TOLD: list[tuple[Any, Any]] = [
    ({"type": "nonsense"}, 1),
    ({"allOf": [{"$ref": "http://127.0.0.1:1/x"}]}, 1),
    ({"$ref": "#/components/schemas/Loop"}, 1),
    ({"allOf": [{"$ref": "#/components/schemas/Loop"}]}, 1),
    ({"minimum": "a"}, 1),
    ({"anyOf": 5}, 1),
    ({"properties": 5}, {}),
]


@pytest.mark.parametrize(("schema", "value"), NOT_TOLD, ids=range(len(NOT_TOLD)))
def test_a_schema_that_cannot_be_followed(schema: Any, value: Any) -> None:  # noqa: ANN401 - JSON
    document = {"components": {"schemas": {"Loop": {"allOf": [{"$ref": "#/components/schemas/Loop"}]}}}}
    with pytest.raises(CallError, match="describes x in a way that cannot be followed"):
        check(Contract({}, document=document), Parameter("x", "value", schema), value)


def test_what_takes_long_is_left_to_the_api() -> None:
    began = time.process_time()
    check(Contract({}), Parameter("x", "text", {"type": "string", "pattern": "(a+)+$"}), "a" * 40 + "b")
    schemas = {f"L{n}": {"allOf": [{"$ref": f"#/components/schemas/L{n + 1}"}] * 10} for n in range(20)}
    contract = Contract({}, document={"components": {"schemas": {**schemas, "L20": {}}}})
    check(contract, Parameter("x", "value", {"allOf": [{"$ref": "#/components/schemas/L0"}]}), 1)
    check(Contract({}), Parameter("x", "value", {"type": "array", "items": {"type": "number"}}), [0.5] * 1_000_000)
    assert time.process_time() - began < 20


SCHEMAS = st.recursive(
    st.dictionaries(
        st.sampled_from(("type", "enum", "minimum", "anyOf", "$ref", "items", "required")), JSON, max_size=3
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(("object", "array", "string")),
            "properties": st.dictionaries(st.text(max_size=3), inner, max_size=2),
            "items": inner,
            "anyOf": st.lists(inner, max_size=3),
            "required": st.lists(st.text(max_size=3), max_size=2),
            "additionalProperties": st.booleans() | inner,
        },
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(SCHEMAS, JSON)
def test_any_schema_and_any_value(schema: Any, value: Any) -> None:  # noqa: ANN401 - JSON
    try:
        check(Contract({}), Parameter("x", "value", schema), value)
    except LambdacapError as error:
        assert len(error.message) < 400  # noqa: PT017


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=4), SCHEMAS | JSON, max_size=3), JSON, st.text(max_size=9), st.booleans())
def test_any_inputs_of_any_description(properties: Any, required: Any, text: str, file: bool) -> None:  # noqa: ANN401
    request = {"type": "object", "properties": properties, "required": required}
    content = {"application/json": {"schema": request}}
    post = {"requestBody": {"content": content}, "responses": {"200": {"content": {"application/json": {}}}}}
    document = {"openapi": "3.1.0", "paths": {"/": {"post": post}}}
    try:
        contract = read(document, "http://x/")
        found = values(contract, [(name, text) for name in properties], file=file)
        made = to_send(contract, found, "x")
        assert isinstance(made.body, bytes)
    except LambdacapError as error:
        assert len(error.message) < 500  # noqa: PT017
        assert len(error.hint) < 1000  # noqa: PT017
