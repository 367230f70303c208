"""What a signature says, and what is told of hints that cannot be served."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import annotated_types as at
import msgspec
import numpy as np
import pytest
from PIL import Image
from serving.contract import contract
from serving.wire import HintError

from tests.image.serving import predictors


def named(hint: Any, default: Any = ...) -> Any:  # noqa: ANN401
    """A predictor with the one input `thing`."""
    predict: Any = (lambda thing: thing) if default is ... else (lambda thing=default: thing)
    predict.__annotations__ = {"thing": hint}
    return predictors.module(predict)


@pytest.mark.parametrize(
    ("hint", "kind"),
    [
        (Image.Image, "picture"),
        (Image.Image | None, "picture"),
        (tuple[np.ndarray, int], "sound"),
        (bytes, "file"),
        (Path, "file"),
        (str, "text"),
        (Annotated[str, "words"], "text"),
        (int, "value"),
        (list[str], "value"),
        (list[Image.Image], "value"),
        (dict[str, predictors.Place], "value"),
        (predictors.Colour, "value"),
        (Literal["a", 1], "value"),
        (int | str, "value"),
    ],
)
def test_the_kinds_of_inputs(hint: Any, kind: str) -> None:  # noqa: ANN401
    made = contract(named(hint))
    assert made.inputs["thing"].kind == kind
    assert made.inputs["thing"].required


@dataclass
class Itself:
    child: Itself | None = None


class Foreign:
    """Not known to JSON."""


def _positional(a: int, /) -> int:
    return a


def _many(*a: int) -> int:
    return sum(a)


def _rest(**a: int) -> int:
    return sum(a.values())


def _bare(a) -> int:  # type: ignore[no-untyped-def] # noqa: ANN001
    return int(a)


async def _later(a: int) -> int:
    return a


@pytest.mark.parametrize(
    ("predict", "said"),
    [
        (_positional, "a: a request gives values by name"),
        (_many, "a: a request gives values by name"),
        (_rest, "a: a request gives values by name"),
        (_bare, "a: predict does not say of what type it is"),
        (_later, "predict is async"),
        (None, "has no function predict"),
    ],
)
def test_a_signature_that_cannot_be_called(predict: Callable[..., Any] | None, said: str) -> None:
    with pytest.raises(HintError, match=said):
        contract(predictors.module(predict))


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        (Image, "thing: PIL.Image is a module; for a picture write PIL.Image.Image"),
        (Foreign, "thing: Foreign cannot be served; inputs are "),
        (list[Foreign], "thing: Foreign cannot be served"),
        (np.ndarray, "thing: an array cannot be sent"),
        (Callable[[int], int], "thing: .* cannot be served"),
        (Annotated[int, object()], "thing: the mark <object .* is unknown"),
        (Annotated[int, at.Predicate(bool)], "thing: the mark annotated_types.Predicate cannot be checked"),
        (Annotated[str, msgspec.Meta(ge=1)], "thing: Can only set `ge` on a numeric type"),
        (Annotated[int, at.MinLen(1)], "thing: Can only set `min_length`"),
        (Image.Image | str, "thing: Image or str cannot be told apart"),
        (predictors.Point | predictors.Nested, "thing: Point or Nested cannot be told apart"),
        (Itself, "thing.child: Itself holds itself"),
        (dict[Foreign, int], "thing: the keys of a dict"),
        (complex, "thing: complex cannot be served"),
    ],
)
def test_a_hint_that_cannot_be_served_is_told_by_name(hint: Any, said: str) -> None:  # noqa: ANN401
    with pytest.raises(HintError, match=said):
        contract(named(hint))


def test_bounds_of_both_kinds_are_merged_with_descriptions() -> None:
    made = contract(predictors.module(predictors.values))
    count = made.inputs["count"]
    assert (count.required, count.default, count.description) == (False, 5, "how many")
    for value, ok in ((1, True), (10, True), (0, False), (11, False)):
        if ok:
            assert getattr(msgspec.convert({"count": value}, made.request), "count") == value  # noqa: B009
        else:
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert({"count": value}, made.request)


def test_the_title_is_the_modules_first_line_or_else_predicts_or_its_name() -> None:
    def spoken() -> str:
        """Says it.

        At length.
        """
        return ""

    def silent() -> str:
        return ""

    for about, predict, title, description in (
        ("Finds things.\n\nMany of them.", spoken, "Finds things", "Says it."),
        (None, spoken, "Says it", "Says it."),
        (None, silent, "predictor", ""),
    ):
        made = contract(SimpleNamespace(__name__="predictor", __doc__=about, predict=predict))
        assert (made.title, made.description) == (title, description)


def test_descriptions_come_from_the_docstring_too() -> None:
    def google(a: int, b: str = "") -> None:
        """Does it.

        At length.

        Args:
            a: how many
            b (str): what
        """

    def numpy(a: int, b: str = "") -> None:
        """Does it.

        Parameters
        ----------
        a : int
            how many
        b : str
            what
        """

    def sphinx(a: int, b: str = "") -> None:
        """Does it.

        :param a: how many
        :param str b: what
        """

    for predict in (google, numpy, sphinx):
        predict.__annotations__ = {"a": int, "b": str}
        made = contract(predictors.module(predict))
        assert [given.description for given in made.inputs.values()] == ["how many", "what"]
        assert made.title == "Tests things"
        assert made.description == "Does it."


@pytest.mark.parametrize("predict", [predictors.old, predictors.typed_old])
def test_the_form_with_options_is_known(predict: Callable[..., Any]) -> None:
    made = contract(predictors.module(predict))
    assert made.legacy
    assert list(made.inputs) == ["image"]


def test_options_of_another_type_are_an_input_as_any() -> None:
    def predict(image: Image.Image, options: list[str]) -> None: ...

    predict.__annotations__ = {"image": Image.Image, "options": list[str]}
    made = contract(predictors.module(predict))
    assert not made.legacy
    assert list(made.inputs) == ["image", "options"]


def test_hints_as_text_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lazy_hints.py").write_text(
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from PIL import Image\ndef predict(photo: Image.Image) -> int: ...\n"
    )
    with pytest.raises(HintError, match=r"a hint of predict names Image, .* import it there, outside of TYPE_CHECKING"):
        contract(importlib.import_module("lazy_hints"))


def test_an_enum_and_an_iterator_are_known() -> None:
    class Size(enum.IntEnum):
        SMALL = 1

    made = contract(named(Size, Size.SMALL))
    assert made.inputs["thing"].default is Size.SMALL
    assert contract(predictors.module(predictors.parts)).answer == Iterator[str]
