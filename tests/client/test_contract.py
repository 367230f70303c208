"""What a description says of a model, and descriptions that are none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdacap.client.check import taken
from lambdacap.client.contract import CAPTIONER, read
from lambdacap.errors import CallError
from tests.client.models import described
from tests.drawn import JSON
from tests.image.serving import predictors


@pytest.mark.parametrize(
    ("predict", "kinds", "answers"),
    [
        (predictors.picture, {"photo": "picture", "mask": "picture", "top": "value"}, ("application/json",)),
        (predictors.sound, {"audio": "sound", "gain": "value"}, ("audio/wav",)),
        (predictors.text, {"words": "text", "times": "value"}, ("application/json",)),
        (predictors.file, {"document": "file", "raw": "file"}, ("application/json",)),
        (predictors.marked, {"items": "value"}, ("application/json",)),
        (predictors.sepia, {"image": "picture"}, ("image/png", "image/jpeg", "image/webp")),
    ],
)
def test_inputs_and_answers(predict: Any, kinds: dict[str, str], answers: tuple[str, ...]) -> None:  # noqa: ANN401
    found = described(predict)
    assert {name: parameter.kind for name, parameter in found.parameters.items()} == kinds
    assert found.answers == answers
    assert found.gives_files == (answers[0] != "application/json")
    assert (found.free, found.captions) == (False, False)


def test_the_form_with_options_takes_any() -> None:
    found = described(predictors.old)
    assert (list(found.parameters), found.free) == (["image"], True)


def test_a_suffix_is_asked_for_where_answers_come_so() -> None:
    found = described(predictors.sepia)
    assert [found.as_file(suffix) for suffix in (".jpg", ".webp", ".gif", ".txt", "")] == [
        "image/jpeg",
        "image/webp",
        None,
        None,
        None,
    ]


def test_what_is_no_prediction_is_told() -> None:
    with pytest.raises(CallError, match="describes no prediction at POST /"):
        read({"openapi": "3.1.0", "paths": {"/pets": {}}}, "http://x/")
    assert read({"caption": "a dog"}, "http://x/") is CAPTIONER


@given(
    st.fixed_dictionaries(
        {"openapi": st.just("3.1.0")},
        optional={
            "paths": st.fixed_dictionaries(
                {"/": st.fixed_dictionaries({"post": st.dictionaries(st.sampled_from(("requestBody", "x")), JSON)})}
            )
            | JSON,
            "components": JSON,
        },
    )
    | JSON
)
def test_any_description(document: Any) -> None:  # noqa: ANN401 - JSON
    try:
        taken(read(document, "http://x/"))
    except CallError as error:
        assert error.hint  # noqa: PT017
