"""A mistake is told by the author's own lines, whatever meets it: see `mistakes.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from lambdacap.errors import ProjectError
from lambdacap.images import project_context
from lambdacap.local.event import event
from lambdacap.local.instance import Instance, Source
from lambdacap.projects.environment import Environment
from tests.command import Command
from tests.projects.folders import url, write
from tests.projects.mistakes import MISTAKES, OTHER, RUNTIME

POST = event("POST", "/", "", [("content-type", "text/plain")], b"hello")


def instance(folder: Path, environment: Environment, printed: list[str], timeout: int = 60) -> Instance:
    source = Source(folder, project_context.read(folder).task, environment.python, {"PREDICTOR": "predictor"})
    return Instance(source, 512, timeout, printed.append)


@pytest.mark.parametrize("name", MISTAKES)
def test_it_is_told(name: str, tmp_path: Path, environment: Environment) -> None:
    mistake = MISTAKES[name]
    write(tmp_path, {"predictor.py": mistake.code, **OTHER})
    printed: list[str] = []
    with instance(tmp_path, environment, printed) as asked:
        if mistake.late:
            asked.ask(event("GET", "/openapi.json", "", [], b""))
        try:
            error = asked.mistake(asked.ask(POST))
        except ProjectError as raised:
            error = raised
    assert error is not None
    said = f"{error.message}\n{error.hint}"
    assert all(words in said for words in mistake.told), said
    assert str(tmp_path / "predictor.py") in said or str(tmp_path / "other") in said
    assert not any(words in said for words in RUNTIME), said
    assert printed == (["so long"] if "so long" in mistake.code else [])


def test_an_answer_that_takes_too_long_ends(tmp_path: Path, environment: Environment) -> None:
    write(tmp_path, {"predictor.py": "import time\ndef predict(text: str):\n    time.sleep(60)\n"})
    with instance(tmp_path, environment, [], timeout=2) as asked:
        asked.ask(event("GET", "/openapi.json", "", [], b""))
        with pytest.raises(ProjectError, match="had not predicted within 2 s"):
            asked.ask(POST)
        assert not asked.alive


def test_what_a_predictor_prints_and_needs(tmp_path: Path, environment: Environment) -> None:
    write(
        tmp_path,
        {"predictor.py": "print('hello')\ndef predict(text: str) -> str:\n    print('you')\n    return text\n"},
    )
    printed: list[str] = []
    with instance(tmp_path, environment, printed) as asked:
        answer = asked.ask(POST)
        assert asked.mistake(answer) is None
        assert answer.result["statusCode"] == 200
        assert 5 < asked.peak() < 500
    assert printed == ["hello", "you"]
    assert not asked.alive


@pytest.mark.slow
def test_a_deploy_tells_it_and_nothing_goes_live(project: Command) -> None:
    """What was deployed before goes on answering."""
    project("deploy", "--local")
    where = url(project)
    for mistake in MISTAKES.values():
        write(project.folder, {"predictor.py": mistake.code, **OTHER})
        failed = project("deploy", "--local", code=1)
        said = failed.stderr
        assert all(words in said for words in mistake.deploy or mistake.told), said
        assert not any(words in said for words in RUNTIME), said
        headers = {"Content-Type": "text/plain"}
        assert requests.post(where, data="hello", headers=headers, timeout=60).text == '"HELLO"'
