"""`lambdacap init` at the prompt."""

from __future__ import annotations

import os
import pty
import subprocess

from tests.command import Command


def test_without_a_terminal_nothing_is_asked(lambdacap: Command) -> None:
    said = lambdacap("init", "my-model")
    assert said.stdout == "my-model\n"
    assert "+ my-model/predictor.py" in said.stderr
    assert "next: cd my-model && lambdacap serve" in said.stderr
    assert "Colour" in (lambdacap.folder / "my-model" / "predictor.py").read_text()


def test_here(lambdacap: Command) -> None:
    made = lambdacap("init", "--template", "text", "--json").data
    assert made["template"] == "text"
    assert sorted(made["files"]) == ["examples/waves.txt", "predictor.py", "requirements.txt", "test_predictor.py"]
    again = lambdacap("init", "--template", "text", code=1)
    assert "predictor.py, examples/waves.txt, requirements.txt, test_predictor.py already" in again.stderr
    assert "Traceback" not in again.stderr


def test_an_unknown_template(lambdacap: Command) -> None:
    assert "'video' is not one of 'picture', 'sound'" in lambdacap("init", "x", "--template", "video", code=2).stderr
    assert not (lambdacap.folder / "x").exists()


def test_in_a_terminal_it_asks(lambdacap: Command) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [lambdacap.executable, "init"],
        cwd=lambdacap.folder,
        env={**lambdacap.environment, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.write(ours, b"mine\nvideo\nso\n")
    with process:
        process.wait(60)
    said = os.read(ours, 1 << 16).decode()
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 0, said
    assert said.endswith("mine\r\n")
    assert "there is no template 'video'" in said
    assert "rfft" in (lambdacap.folder / "mine" / "predictor.py").read_text()
