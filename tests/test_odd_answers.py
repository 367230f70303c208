"""Whatever the API answers, a bundle or a record says: a sentence, and nothing that a terminal would obey."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lambdacap.cli.console import Console, visible
from lambdacap.cli.views.answers import line, shown
from lambdacap.cli.views.tables import bundle_table
from lambdacap.client.attention import figure, panels, strips
from lambdacap.client.contract import CAPTIONER
from lambdacap.client.http import Client
from lambdacap.client.many import Outcome
from lambdacap.client.photo import Photo, prepare
from lambdacap.client.request import request
from lambdacap.client.results import Results
from lambdacap.deployment.record import Deployment, Records, remembered
from lambdacap.errors import LambdacapError
from lambdacap.model import bundle
from lambdacap.settings import Settings
from tests.drawn import JSON, SCALARS
from tests.servers import Answer, Server, serving

OBEYED = set(map(chr, (*range(9), *range(11, 32), *range(127, 160), 0x202E, 0x2028)))
fuzz = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _check_sentence(error: LambdacapError) -> None:
    assert len(error.message) < 1000
    assert not OBEYED & set(visible(error.message, lines=False))


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Photo:
    file = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.new("RGB", (40, 30)).save(file)
    return prepare(file)


@pytest.fixture(scope="module")
def api() -> Any:  # noqa: ANN401 - an iterator of servers
    with serving(Answer()) as server:
        yield server


ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "caption": st.text(max_size=20) | JSON,
        "words": st.lists(st.text(max_size=5) | SCALARS, max_size=3) | JSON,
        "attention": st.lists(st.lists(st.lists(st.floats(0, 1) | SCALARS, max_size=3), max_size=3), max_size=3) | JSON,
        "error": st.fixed_dictionaries({}, optional={"message": JSON, "code": JSON}) | JSON,
        "message": JSON,
        "photo": JSON,
    },
)

BODIES = ANSWERS | JSON | st.binary(max_size=20)


@fuzz
@given(status=st.sampled_from((200, 201, 302, 400, 403, 413, 418, 502)), content=BODIES)
def test_an_answer_of_the_api(
    status: int,
    content: Any,  # noqa: ANN401
    api: Server,
    photo: Photo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    api.answers[:] = [Answer(status, body)]
    outcome = Outcome(Path("photo.png"))
    try:
        with Client(api.url) as client:
            answer = client.send(request(CAPTIONER, {"photo": photo}, "photo.png"))
        outcome = Outcome(Path("photo.png"), answer, captions=True)
        assert isinstance(outcome.data()["photo"], str)
        Console().result(shown(outcome), outcome.data())
        Console().line(line(outcome), outcome.data())
        assert not OBEYED & set(capsys.readouterr().out)
        drawn = panels(photo, answer.value if isinstance(answer.value, dict) else {})
        figure(drawn)
        list(strips(drawn, 3))
    except LambdacapError as error:
        _check_sentence(error)
    file = tmp_path / "answers.jsonl"
    file.unlink(missing_ok=True)
    with Results(file) as results:
        results.add(outcome.data())
    with Results(file):
        pass


@fuzz
@given(
    spoilt=st.dictionaries(
        st.sampled_from(("format", "lambdacap", "name", "profile", "endpoint", "settings", "resources", "new")),
        JSON
        | st.dictionaries(st.sampled_from(("memory", "image", "auth", "docker", "budget", "x")), JSON)
        | st.dictionaries(st.sampled_from(("api", "function", "x")), JSON | st.dictionaries(st.just("url"), JSON)),
    )
)
def test_a_record(spoilt: dict[str, Any]) -> None:
    blank = Deployment("captions", "aws", "123456789012", "eu-central-1")
    with tempfile.TemporaryDirectory() as home:
        records = Records(Path(home))
        path = records.path(blank)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"format": 1, "lambdacap": "0", **asdict(blank), **spoilt}))
        try:
            found = records.load(blank)
        except LambdacapError as error:
            _check_sentence(error)
            return
        assert found.name == "captions"
        try:
            remembered(Settings(), found)
        except LambdacapError as error:
            _check_sentence(error)


MANIFESTS = st.fixed_dictionaries(
    {"format": st.sampled_from((1, 1, 1, 2, True, None))},
    optional={
        "name": st.text(max_size=9) | JSON,
        "image": st.fixed_dictionaries({"width": SCALARS, "height": SCALARS}) | JSON,
        "source": st.fixed_dictionaries({}, optional={"file": JSON, "bytes": JSON, "sha256": JSON}) | JSON,
        "sizes": st.dictionaries(st.text(max_size=5), SCALARS) | JSON,
        "quantization": JSON,
        "runtime": JSON,
        "description": JSON,
        "parity": st.fixed_dictionaries(
            {},
            optional={
                "pictures": st.integers(-1, 3) | JSON,
                "scenes": JSON,
                "equal_captions": st.integers(0, 3) | JSON,
                "log_probability_difference": st.fixed_dictionaries({"mean": st.floats() | JSON}) | JSON,
                "log_probability": st.floats() | JSON,
            },
        )
        | JSON,
    },
)


@fuzz
@given(manifest=MANIFESTS | JSON)
def test_a_bundle(manifest: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - JSON
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "model.json").write_text(json.dumps(manifest))
        try:
            found = bundle.inspect(Path(name))
        except LambdacapError as error:
            _check_sentence(error)
            return
        Console().result(bundle_table(found), found.data())
        Console(json_output=True).result(bundle_table(found), found.data())
    assert not OBEYED & set(capsys.readouterr().out)


def test_the_shipped_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(__file__).parent.parent / "image" / "demo" / "bundle"
    table = bundle_table(bundle.inspect(folder))
    Console().result(table, {})
    shown = capsys.readouterr().out
    assert "200 of 200 captions (100%)" in shown
    assert "training" in shown


@given(st.text(st.characters()))
@settings(deadline=None)
def test_nothing_is_obeyed(text: str) -> None:
    assert not OBEYED & set(visible(text))
    assert "\n" not in visible(text, lines=False)
    visible(text).encode("utf-8")
    if text.isprintable():
        assert visible(text) == text
