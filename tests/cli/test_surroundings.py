"""What is broken around a command makes it say so: a sentence, the right exit code, and nothing half-written."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.surroundings import COMMANDS, SURROUNDINGS, complaints, few, run
from tests.command import Command


@pytest.mark.slow
@pytest.mark.parametrize("title", SURROUNDINGS)
def test_a_surrounding(title: str, tmp_path: Path) -> None:
    for name in few(title):
        folder = tmp_path / name
        folder.mkdir()
        end = run(SURROUNDINGS[title], COMMANDS[name], folder)
        print(f"{title:34} {name:16} {end.code:3} {end.first}")
        assert complaints(SURROUNDINGS[title], end) == [], end


@pytest.mark.slow
@pytest.mark.parametrize("title", [title for title in SURROUNDINGS if SURROUNDINGS[title].like_clean])
def test_local_commands_need_nothing_of_it(title: str, tmp_path: Path) -> None:
    for name in ("config --local", "list"):
        ends = []
        for where in ("clean", title):
            folder = tmp_path / where.replace("/", " ") / name
            folder.mkdir(parents=True)
            ends.append(run(SURROUNDINGS[where], COMMANDS[name], folder).code)
        assert ends == [0, 0]


@pytest.mark.parametrize("arguments", [["status", "--local"], ["invoke"], ["destroy"], ["deploy", "--memory", "1"]])
def test_errors_are_json_too(arguments: list[str], tmp_path: Path) -> None:
    end = run(SURROUNDINGS["clean"], [*arguments, "--json"], tmp_path)
    assert end.code == (2 if arguments[0] in ("invoke", "destroy") else 1)
    assert complaints(SURROUNDINGS["clean"], end, as_json=True) == [], end


def test_ctrl_c_while_it_starts(lambdacap: Command) -> None:
    for pause in range(2, 22, 2):
        with lambdacap.start("config", "--local") as process:
            time.sleep(pause / 50)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=60)
        if process.returncode not in (0, 130) and "/lambdacap/" not in stderr:
            continue  # Python itself had not come to us yet
        assert process.returncode in (0, 130), stderr
        assert "Traceback" not in stderr or "in <module>\n    from lambdacap.cli import main" in stderr
        assert process.returncode == 0 or stderr.endswith("it goes on where it was\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, lambdacap: Command) -> None:
    assert f"complete_{shell}" in lambdacap("--show-completion", shell).stdout


def test_bash_completes(lambdacap: Command) -> None:
    environ = {**lambdacap.environment, "_LAMBDACAP_COMPLETE": "complete_bash", "COMP_WORDS": "lambdacap tea"}
    done = subprocess.run([lambdacap.executable], env={**environ, "COMP_CWORD": "1"}, capture_output=True, text=True)
    assert done.stdout.split() == ["teardown"]


@pytest.mark.parametrize(("word", "meant"), [("destroy", "teardown"), ("delete", "teardown"), ("ls", "list")])
def test_other_tools_words_are_hints(word: str, meant: str, lambdacap: Command) -> None:
    result = lambdacap(word, code=2)
    assert f"Did you mean '{meant}'?" in result.stderr
    assert result.stdout == ""


def test_hints_keep_what_was_typed(lambdacap: Command) -> None:
    told = lambdacap("status", "--local", "--name", "mine", code=1).stderr
    assert "`lambdacap deploy --name mine --local`" in told
