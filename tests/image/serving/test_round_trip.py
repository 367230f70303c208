"""Whatever a signature says and a caller gives: it arrives as given in each form, and is checked as it is described."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pprint import pformat
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from serving.contract import Contract, contract
from serving.gateway import HttpError, Request
from serving.inputs import arguments
from serving.inputs.uploads import Files
from serving.openapi import document
from serving.outputs import written
from urllib3 import encode_multipart_formdata
from urllib3.fields import RequestField

from tests.drawn import JSON
from tests.image.serving import predictors
from tests.image.serving.signatures import CONTAINERS, FILE, Drawn, Kind, drawn, function

fuzz = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def called(made: Contract, body: bytes, kind: str, queries: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """What `predict` is called with."""
    headers = {"content-type": kind} if kind else {}
    query = {name: values[-1] for name, values in queries.items()}
    with Files({}) as files:
        return arguments(Request("POST", "/", headers, query, queries, body, binary=True), made, files)


def same(one: object, other: object) -> bool:
    """Equal, and of one type: 1 is not true."""
    return one == other and pformat(one) == pformat(other)


def as_text(drawn_: Drawn, *, apart: bool) -> dict[str, list[str]]:
    """What can be said as text: lists in JSON, or their items one by one."""
    found = {}
    for name, value in drawn_.plain.items():
        if isinstance(value, str):
            found[name] = [value]
        elif apart and isinstance(value, list) and len(value) > 1 and all(isinstance(i, str | int) for i in value):
            found[name] = [item if isinstance(item, str) else json.dumps(item) for item in value]
        elif value is not None:
            found[name] = [json.dumps(value)]
    return found


@fuzz
@given(drawn(), st.booleans())
def test_values_arrive_as_they_are_given(drawn_: Drawn, apart: bool) -> None:
    made = contract(predictors.module(drawn_.predict))
    assert same(called(made, json.dumps(drawn_.plain).encode(), "application/json", {}), drawn_.values)
    if any(value is None for value in drawn_.values.values()):
        return  # which text cannot say
    text = as_text(drawn_, apart=apart)
    fields = []
    for name, values in text.items():
        file = drawn_.kinds[name] is FILE
        content = drawn_.values[name] if file else b""
        fields += [RequestField.from_tuples(name, ("x", content) if file else value.encode()) for value in values]
    body, kind = encode_multipart_formdata(fields)
    assert same(called(made, body, kind, {}), drawn_.values)
    assert same(called(made, b"", "", {name: tuple(values) for name, values in text.items()}), drawn_.values)


def said_otherwise(error: HttpError, components: object, value: object) -> bool:
    """Whether a schema of OpenAPI says less than is checked: of dates and base64, and that 1.0 is no whole number."""
    schemas = json.dumps(components)
    return error.status == 400 and ("format" in schemas or "contentEncoding" in schemas or ".0" in json.dumps(value))


def spoilt(value: Any, data: st.DataObject) -> Any:  # noqa: ANN401 - JSON
    """The same with one thing in it said otherwise: a number as text, a field too many, ..."""
    if isinstance(value, list) and value and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(value) - 1))
        return [spoilt(item, data) if n == place else item for n, item in enumerate(value)]
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(value)))
        return {**value, name: spoilt(value[name], data)}
    if isinstance(value, dict):
        return {**value, data.draw(st.text(max_size=3)): 1}
    return data.draw(st.sampled_from((str(value), "inf", "NaN", "5", "true", "null", True, None, 1.5, 1, 0, [], {})))


@fuzz
@given(drawn(), st.data())
def test_requests_are_checked_as_they_are_described(drawn_: Drawn, data: st.DataObject) -> None:
    made = contract(predictors.module(drawn_.predict))
    described = document(made)
    validate(described)
    components = described["components"]
    schema = {"$ref": "#/components/schemas/Request", "components": components}
    request = dict(drawn_.plain)
    assert Draft202012Validator(schema).is_valid(request)
    for name in data.draw(st.sets(st.sampled_from((*drawn_.kinds, "zzz")), max_size=2)):
        request[name] = (
            data.draw(JSON) if name == "zzz" or data.draw(st.booleans()) else spoilt(request.get(name), data)
        )
    try:
        body = json.dumps(request, allow_nan=False).encode()
    except ValueError:
        return
    valid = Draft202012Validator(schema).is_valid(json.loads(body))
    try:
        called(made, body, "application/json", {})
    except HttpError as error:
        assert len(str(error)) < 700  # noqa: PT017
        assert not valid or said_otherwise(error, components, request)  # noqa: PT017
    else:
        assert valid


@fuzz
@given(CONTAINERS, st.data())
def test_json_in_a_query_or_a_form_is_checked_as_json(kind: Kind, data: st.DataObject) -> None:
    made = contract(predictors.module(function({"p": kind})))
    described = document(made)
    schema = {"$ref": "#/components/schemas/Request", "components": described["components"]}
    plain = kind.plain(data.draw(kind.values))
    value = spoilt(plain, data)
    if not isinstance(value, type(plain)):
        return
    text = json.dumps(value)
    valid = Draft202012Validator(schema).is_valid({"p": value})
    form, media_type = encode_multipart_formdata([RequestField.from_tuples("p", text.encode())])
    for body, kind_, queries in ((b"", "", {"p": (text,)}), (form, media_type, {})):
        try:
            called(made, body, kind_, queries)
        except HttpError as error:
            assert not valid or said_otherwise(error, described["components"], value)  # noqa: PT017
        else:
            assert valid


@fuzz
@given(drawn())
def test_answers_are_written_as_they_are_returned(drawn_: Drawn) -> None:
    assert json.loads(written(drawn_.values)) == drawn_.plain
