"""The first example as a request: for each kind of first input, and only where it alone is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL.Image import Image
from serving import example
from serving.contract import Contract, contract


@dataclass
class Row:
    width: float


def of(predict: Callable[..., object]) -> Contract:
    return contract(SimpleNamespace(predict=predict, __name__="predictor", __doc__=None))


def picture(photo: Image, top: int = 1) -> None: ...
def file(data: Path) -> None: ...
def text(words: str) -> None: ...
def rows(rows: list[Row], top: int = 1) -> None: ...
def record(row: Row) -> None: ...
def pair(photo: Image, label: str) -> None: ...
def nothing() -> None: ...
def legacy(image, options): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the current folder one with these examples."""
    monkeypatch.chdir(tmp_path)

    def make(**files: str) -> None:
        (tmp_path / "examples" / "folder").mkdir(parents=True)
        for name, content in files.items():
            (tmp_path / "examples" / name.replace("_", ".")).write_text(content, "utf-8")

    return make


@pytest.mark.parametrize(
    ("predict", "name", "media_type"),
    [
        (picture, "b_jpg", "image/jpeg"),
        (legacy, "b_png", "image/png"),
        (file, "b_json", "application/octet-stream"),
        (file, "b_unknown", "application/octet-stream"),
        (text, "b_md", "text/plain"),
    ],
)
def test_it_is_the_body(
    predict: Callable[..., object], name: str, media_type: str, examples: Callable[..., None]
) -> None:
    examples(**{name: "content", "c_jpg": "later", "README_md": "words", "_hidden": "x"})
    found = example.find(of(predict))
    assert found == Path("examples", name.replace("_", "."))
    made = example.request(found, of(predict))
    assert (made.body, made.content_type, made.method) == (b"content", media_type, "POST")


@pytest.mark.parametrize(
    ("predict", "content", "sent"),
    [
        (rows, '[{"width": 1}]', {"rows": [{"width": 1}]}),
        (rows, '{"rows": [], "top": 2}', {"rows": [], "top": 2}),
        (record, '{"width": 1}', {"row": {"width": 1}}),
        (record, '{"row": {"width": 1}}', {"row": {"width": 1}}),
        (record, "{}", {"row": {}}),
        (text, '"words"', {"words": "words"}),
        (pair, '{"photo": "aGk=", "label": "x"}', {"photo": "aGk=", "label": "x"}),
    ],
)
def test_json_is_the_first_input_or_all(
    predict: Callable[..., object], content: str, sent: object, examples: Callable[..., None]
) -> None:
    examples(a_json=content)
    found = example.find(of(predict))
    assert found is not None
    made = example.request(found, of(predict))
    assert (json.loads(made.body), made.content_type) == (sent, "application/json")


@pytest.mark.parametrize(
    ("predict", "name"), [(nothing, "a_jpg"), (pair, "a_jpg"), (rows, "a_txt"), (picture, "README_md")]
)
def test_where_it_alone_is_no_request_there_is_none(
    predict: Callable[..., object], name: str, examples: Callable[..., None]
) -> None:
    examples(**{name: "content"})
    assert example.find(of(predict)) is None


@pytest.mark.usefixtures("examples")
def test_without_a_folder_there_is_none() -> None:
    assert example.find(of(text)) is None


def test_json_that_is_none_is_told(examples: Callable[..., None]) -> None:
    examples(a_json="{")
    with pytest.raises(example.ExampleError, match=r"examples/a\.json is no JSON"):
        example.request(Path("examples/a.json"), of(rows))
