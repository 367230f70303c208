"""What hypothesis draws: signatures of `predict`, with values for each input and the same as JSON has them."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import uuid
from base64 import b64encode
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict

import annotated_types as at
from hypothesis import strategies as st
from msgspec import Meta

_numbers = itertools.count(1)
Plain = Callable[[Any], Any]


@dataclass(frozen=True)
class Kind:
    """A type hint, its values, and how one looks in JSON."""

    hint: Any
    values: st.SearchStrategy[Any]
    plain: Plain = lambda value: value


def _text(**bounds: int) -> st.SearchStrategy[str]:
    odd = st.sampled_from(("null", "true", "5", "[1", "{", "@x", "a=b&c", "\r\n--b", "ü 日本", " ", "%41", "+", "“"))
    plain = st.text(st.characters(exclude_categories=["Cs"]), **bounds)
    return plain if bounds else plain | odd


def _choice(values: list[Any]) -> Kind:
    return Kind(Literal[tuple(values)], st.sampled_from(values))


def _enum(values: list[Any]) -> Kind:
    create: Any = Enum
    made = create(f"Choice{next(_numbers)}", {f"M{n}": value for n, value in enumerate(values)})
    return Kind(made, st.sampled_from(list(made)), lambda member: member.value)


def _bounded(low: int, span: int) -> Kind:
    return Kind(Annotated[int, "bounded", Meta(ge=low, le=low + span)], st.integers(low, low + span))


_choices = st.lists(_text(min_size=1), min_size=1, max_size=4, unique=True)
_integers = st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=4, unique=True)
SCALARS: st.SearchStrategy[Kind] = st.one_of(
    st.just(Kind(int, st.integers(-(2**63), 2**63))),
    st.just(Kind(float, st.floats(allow_nan=False, allow_infinity=False))),
    st.just(Kind(bool, st.booleans())),
    st.just(Kind(str, _text())),
    st.just(Kind(date, st.dates(), date.isoformat)),
    st.just(Kind(uuid.UUID, st.uuids(), str)),
    st.just(Kind(Annotated[float, at.Interval(ge=0, lt=1)], st.floats(0, 1, exclude_max=True))),
    st.just(Kind(Annotated[str, at.Len(1, 5)], _text(min_size=1, max_size=5))),
    st.builds(_bounded, st.integers(-100, 100), st.integers(0, 100)),
    st.builds(_choice, _choices | _integers),
    st.builds(_enum, _choices | _integers),
)


def _optional(kind: Kind) -> Kind:
    def plain(value: Any) -> Any:  # noqa: ANN401
        return None if value is None else kind.plain(value)

    return Kind(kind.hint | None, st.none() | kind.values, plain)


def _list(kind: Kind) -> Kind:
    return Kind(list[kind.hint], st.lists(kind.values, max_size=3), lambda v: [kind.plain(i) for i in v])  # type: ignore[name-defined]


def _pair(one: Kind, other: Kind) -> Kind:
    kinds = (one, other)
    return Kind(
        tuple[one.hint, other.hint],  # type: ignore[name-defined]
        st.tuples(one.values, other.values),
        lambda pair: [kind.plain(value) for kind, value in zip(kinds, pair, strict=True)],
    )


def _dict(kind: Kind) -> Kind:
    values = st.dictionaries(_text(max_size=5), kind.values, max_size=3)
    return Kind(dict[str, kind.hint], values, lambda v: {k: kind.plain(i) for k, i in v.items()})  # type: ignore[name-defined]


def _record(kinds: list[Kind]) -> Kind:
    made: Any = dataclasses.make_dataclass(f"Record{next(_numbers)}", [(f"f{n}", k.hint) for n, k in enumerate(kinds)])
    return Kind(
        made,
        st.tuples(*(kind.values for kind in kinds)).map(lambda values: made(*values)),
        lambda record: {f"f{n}": kind.plain(getattr(record, f"f{n}")) for n, kind in enumerate(kinds)},
    )


def _typed_dict(kinds: list[Kind]) -> Kind:
    made: Any = TypedDict(f"Typed{next(_numbers)}", {f"f{n}": kind.hint for n, kind in enumerate(kinds)})  # type: ignore[misc]
    return Kind(
        made,
        st.fixed_dictionaries({f"f{n}": kind.values for n, kind in enumerate(kinds)}),
        lambda value: {f"f{n}": kind.plain(value[f"f{n}"]) for n, kind in enumerate(kinds)},
    )


VALUES: st.SearchStrategy[Kind] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(_optional, inner),
        st.builds(_list, inner),
        st.builds(_dict, inner),
        st.builds(_pair, inner, inner),
        st.builds(_record, st.lists(inner, min_size=1, max_size=3)),
        st.builds(_typed_dict, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=5,
)
CONTAINERS = SCALARS.flatmap(
    lambda kind: st.sampled_from((_list(kind), _dict(kind), _record([kind]), _list(_record([kind, kind]))))
)
FILE = Kind(bytes, st.binary(max_size=50), lambda value: b64encode(value).decode())


@dataclass(frozen=True)
class Drawn:
    """A predictor's function, the kinds of its inputs by name, and values for some of them."""

    predict: Callable[..., Any]
    kinds: dict[str, Kind]
    values: dict[str, Any]

    @property
    def plain(self) -> dict[str, Any]:
        return {name: self.kinds[name].plain(value) for name, value in self.values.items()}


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """Inputs, of which some may be left out."""
    kinds = {f"p{n}": kind for n, kind in enumerate(draw(st.lists(VALUES | st.just(FILE), min_size=1, max_size=4)))}
    optional = {name for name in kinds if draw(st.booleans())}
    given = {name: draw(kind.values) for name, kind in kinds.items() if name not in optional or draw(st.booleans())}

    return Drawn(function(kinds, optional), kinds, given)


def function(kinds: dict[str, Kind], optional: Container[str] = ()) -> Callable[..., Any]:
    """One that takes these."""

    def predict(**given: object) -> object:
        return given

    keyword = inspect.Parameter.KEYWORD_ONLY
    nothing = inspect.Parameter.empty
    predict.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, keyword, annotation=kind.hint, default=None if name in optional else nothing)
            for name, kind in kinds.items()
        ]
    )
    predict.__annotations__ = {name: kind.hint for name, kind in kinds.items()}
    return predict
