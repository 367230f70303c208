"""`deploy` in a folder with a `predictor.py` deploys that, and nothing else, by way of the installed command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from lambdacap.errors import AwsError, NotHereError, ProjectError
from lambdacap.events import Event, Finished, Warned, silent
from lambdacap.operations import deploy
from lambdacap.operations.teardown import teardown
from lambdacap.projects.environment import Environment
from lambdacap.projects.readiness import prepare
from lambdacap.settings import Settings
from tests import processes
from tests.command import Command
from tests.projects.conftest import lend
from tests.projects.folders import OWN, SHOUT, url, write

NUMBER = '''
import sys
def predict(number: float) -> dict[str, object]:
    """Says by which Python, and of which folder."""
    return {"double": 2 * number, "python": sys.executable, "path": sys.path}
'''


@pytest.fixture
def small(settings: Settings, tmp_path: Path, environment: Environment) -> Iterator[Settings]:
    """Settings for the session's cloud that mean a project without requirements, whose environment is made already."""
    folder = write(tmp_path / "small", {"predictor.py": SHOUT, "examples/hello.txt": "hello"})
    lend(environment, settings.home)
    yield replace(settings, image=folder, base_image=OWN, given={"home": "the test"})
    teardown(settings, silent)


def test_what_the_folder_says_is_what_answers(small: Settings) -> None:
    events: list[Event] = []
    address = deploy.deploy(small, events.append).deployment.url or ""
    told = [event for event in events if isinstance(event, Finished) and event.kind == "predictor"]
    assert f"{small.image}/predictor.py: predict(text: text, times)" in told[0].detail
    plain = {"Content-Type": "text/plain"}
    assert requests.post(address, data="hi", headers=plain, params={"times": "2"}, timeout=20).json() == "HI HI"
    assert requests.post(address, files={"text": (None, "hi")}, timeout=20).json() == "HI"
    assert requests.post(address, json={"text": "hi", "times": 3}, timeout=20).json() == "HI HI HI"
    assert not deploy.deploy(small, silent).changed

    # The same name for another folder is told of.
    other = write(small.image.parent / "other", {"predictor.py": SHOUT})
    deploy.deploy(replace(small, image=other), events.append)
    assert f"was made of {small.image} until now" in " ".join(e.text for e in events if isinstance(e, Warned))


def test_what_fails_at_its_first_call_never_goes_live(small: Settings) -> None:
    address = deploy.deploy(small, silent).deployment.url or ""
    # An answer that cannot be written.
    write(small.image, {"predictor.py": "def predict(text: str) -> float:\n    return float('nan')\n"})
    with pytest.raises(AwsError, match=r"examples/hello\.txt gets no answer: the answer is NaN.*version 1 goes on"):
        deploy.deploy(small, silent)
    # What fails at its start is told with its place.
    code = "import json\ndef setup() -> None:\n    json.loads('{')\n"
    write(small.image, {"predictor.py": code + SHOUT})
    with pytest.raises(AwsError, match=r"predictor\.py, line 3(.|\n)*version 1 goes on answering"):
        deploy.deploy(small, silent)
    assert requests.post(address, json={"text": "hi"}, timeout=20).json() == "HI"


@pytest.mark.slow
def test_a_project_is_deployed_called_changed_and_taken_down(project: Command) -> None:
    """The whole way of one project that requires nothing: in one test, since a cloud of its own takes seconds."""
    write(project.folder, {".env": "TOKEN=secret", ".git/HEAD": "", "lambdacap.toml": 'name = "shout"\n'})
    first = project("deploy", "--local")
    assert f"{project.folder}/predictor.py: predict(text: text, times)" in first.stderr
    assert "without .git" in first.stderr
    assert ".env (its name is that of keys" in first.stderr
    assert "caption" not in first.stderr.lower() + first.stdout.lower()
    address = first.stdout.strip()
    plain = {"Content-Type": "text/plain"}
    assert requests.post(address, data="hi", headers=plain, params={"times": "2"}, timeout=20).json() == "HI HI"
    assert requests.post(address, files={"text": (None, "hi")}, timeout=20).json() == "HI"
    assert requests.post(address, json={"text": "hi", "times": 3}, timeout=20).json() == "HI HI HI"
    assert requests.post(address, json={"words": "hi"}, timeout=20).status_code == 400
    log = project("logs", "--local").stdout
    assert "warmed" in log
    assert "200     POST" in log
    status = project("status", "--local").stdout
    assert "a process on this machine" in status
    again = project("deploy", "--local", "--json")
    assert again.data["changed"] is False
    assert str(project.folder / "predictor.py") in again.stderr

    # An answer that cannot be written never goes live.
    write(project.folder, {"predictor.py": "def predict(text: str) -> float:\n    return float('nan')\n"})
    failed = project("deploy", "--local", code=1)
    assert "examples/hello.txt gets no answer: the answer is NaN" in failed.stderr
    assert "version 1 goes on answering" in failed.stderr
    assert requests.post(address, data="hi", headers=plain, timeout=20).json() == "HI"

    # Nor does what cannot be served, and nothing is made of it.
    write(project.folder, {"predictor.py": "def predict(text: str, when: complex) -> str: ...\n"})
    told = project("deploy", "--local", code=1)
    assert "when: complex cannot be served" in told.stderr
    assert "repository" not in told.stderr

    project("teardown", "--local", "--yes")
    assert processes.belonging_to(project.home) == []


@pytest.mark.slow
def test_it_runs_in_its_own_environment_from_any_folder(project: Command, tmp_path: Path) -> None:
    folder = write(tmp_path / "elsewhere", {"predictor.py": NUMBER, "examples/a.json": "3"})
    (project.folder / "predictor.py").unlink()
    deployed = project("deploy", "--local", "--image", folder)
    assert f"{folder}/predictor.py" in deployed.stderr
    answer = requests.post(url(project), json={"number": 2}, timeout=20).json()
    assert answer["double"] == 4
    environments = project.home / "cache" / "environments"
    assert Path(answer["python"]).is_relative_to(environments)
    assert [place for place in answer["path"] if "site-packages" in place and str(environments) not in place] == []
    # Gone, it fails with a sentence, and is made anew by the next deploy.
    (made,) = (place for place in environments.iterdir() if place.is_dir())
    made.rename(tmp_path / "away")
    project("local", "stop")
    project("local", "start")
    assert requests.post(url(project), json={"number": 2}, timeout=20).status_code == 502
    project("deploy", "--local", "--image", folder)
    assert requests.post(url(project), json={"number": 2}, timeout=20).json()["double"] == 4


@pytest.mark.slow
def test_where_the_images_python_is_not_here_lambdacaps_own_serves(project: Command) -> None:
    environ = {**project.environ, "LAMBDACAP_BASE_IMAGE": "public.ecr.aws/lambda/python:3.99"}
    deployed = replace(project, environ=environ)("deploy", "--local")
    assert "Python 3.99, which the image has, is not on this machine" in deployed.stderr


def test_what_the_image_may_import_is_a_warning_where_it_is_of_another_system(
    tmp_path: Path, environment: Environment
) -> None:
    folder = write(tmp_path / "project", {"predictor.py": "import for_the_other_system\n" + SHOUT})
    lend(environment, tmp_path)
    settings = Settings(image=folder, base_image=OWN, home=tmp_path, given={"home": "the test"})
    with pytest.raises(NotHereError, match="line 1: ModuleNotFoundError"):
        prepare(settings, silent)
    told: list[Event] = []
    prepare(replace(settings, architecture="arm64"), told.append)
    assert "not checked, since the image is of another system" in " ".join(
        e.text for e in told if isinstance(e, Warned)
    )
    # A process of this machine is of this one.
    with pytest.raises(NotHereError):
        prepare(replace(settings, architecture="arm64", local=True, docker=False), silent)
    # What cannot be served is not, wherever.
    write(folder, {"predictor.py": "def predict(when: complex) -> str: ...\n"})
    with pytest.raises(ProjectError, match="when: complex cannot be served"):
        prepare(replace(settings, architecture="arm64"), silent)


def test_a_dry_run_installs_nothing(project: Command) -> None:
    planned = project("deploy", "--local", "--dry-run")
    assert "a deploy first installs what it needs, and checks it" in planned.stderr
    assert "caption" not in planned.stdout + planned.stderr
    assert not (project.home / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "demo"], "weights 'demo' are the captioner's"),
        (["--image", "nowhere"], "there is no folder"),
    ],
)
def test_what_does_not_fit_a_project_is_told_at_once(arguments: list[str], words: str, project: Command) -> None:
    failed = project("deploy", "--local", *arguments, code=1)
    assert words in failed.stderr
    assert not project.home.exists()


def test_a_broken_project_makes_nothing(project: Command, environment: Environment) -> None:
    lend(environment, project.home)
    write(project.folder, {"predictor.py": "import nowhere\n" + SHOUT})
    failed = project("deploy", "--local", code=1)
    assert f"{project.folder}/predictor.py, line 1: ModuleNotFoundError" in failed.stderr
    assert not (project.home / "local").exists()
    write(project.folder, {"predictor.py": SHOUT, "requirements.txt": "-e .\n"})
    assert "requirements.txt, line 1: an editable install" in project("deploy", "--local", code=1).stderr


def test_commands_know_the_folder(project: Command) -> None:
    settings = project("config", "--json").data
    assert settings["image"]["value"] == str(project.folder)
    assert "predictor.py" in settings["image"]["source"]
    findings = project("doctor", "--local", code=None).stdout
    assert f"{project.folder}, 2 files" in findings
    assert "a deploy first installs what it needs" in findings
