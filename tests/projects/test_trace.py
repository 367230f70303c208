"""Tracebacks, as Lambda reports them and as Python prints them, by the author's own lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdacap.projects.trace import Frame, Mistake, explained, of_failure, of_report, of_traceback

TASK = Path("/var/task")
PRINTED = """Traceback (most recent call last):
  File "/var/task/predictor.py", line 9, in predict
    first()
KeyError: 'first'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/var/task/handler.py", line 160, in predict
    answer = predictor.predict(**arguments)
  File "/var/task/predictor.py", line 11, in predict
    return own.model.run(text)
  File "/var/task/own/model.py", line 3, in run
    return json.loads(text)
  File "/usr/lib/python3.13/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)
and a second line
"""


def test_the_last_of_several_counts() -> None:
    found = of_traceback(PRINTED, TASK)
    assert found.kind == "JSONDecodeError"
    assert found.message == "Expecting value: line 1 column 1 (char 0)\nand a second line"
    assert found.frames == (Frame("predictor.py", 11, "predict"), Frame("own/model.py", 3, "run"))


def test_lambda_names_syntax_errors_in_its_own_way(tmp_path: Path) -> None:
    (tmp_path / "predictor.py").write_text("def")
    found = of_failure("Runtime.UserCodeSyntaxError", "invalid syntax (predictor.py, line 1)", [], tmp_path)
    assert found == Mistake("SyntaxError", "invalid syntax", (Frame("predictor.py", 1),))


def test_an_exception_from_nowhere_still_names_the_predictor() -> None:
    said = explained(Mistake("RecursionError", ""), Path("/home/me/model"))
    assert said.message == "/home/me/model/predictor.py: RecursionError"


@pytest.mark.parametrize("text", ["", "no traceback at all", "Traceback (most recent call last):\n"])
def test_what_is_no_traceback_breaks_nothing(text: str) -> None:
    assert explained(of_traceback(text, TASK), Path("/p")).message.startswith("/p/predictor.py")


@pytest.mark.parametrize("task", ["/var/task", "/home/me/.local/state/lambdacap/local/images/lambdacap/0a1b"])
def test_a_report_of_lambdas(task: str) -> None:
    stack = [
        f'  File "{task}/handler.py", line 43, in <module>\n    predictor.setup()\n',
        f'  File "{task}/predictor.py", line 4, in setup\n    load()\n',
        f'  File "{task}/predictor.py", line 2, in load\n    raise OSError("no weights")\n',
        '  File "/var/lang/lib/python3.13/json/__init__.py", line 1, in loads\n',
    ]
    said = of_report({"errorType": "OSError", "errorMessage": "no weights", "stackTrace": stack}, Path("/p"))
    assert said == "/p/predictor.py, line 2: OSError: no weights\n  through /p/predictor.py, line 4, in setup"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited with status 3"}, "(status 3)"),
        (
            {
                "errorType": "Runtime.ExitError",
                "errorMessage": "RequestId: 1 Error: Runtime exited with error: exit status 3",
            },
            "(exit status 3)",
        ),
        (
            {
                "errorType": "Runtime.ExitError",
                "errorMessage": "RequestId: 1 Error: Runtime exited with error: signal: killed",
            },
            "(signal: killed)",
        ),
        ({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 60.00 seconds"}, "timed out after 60"),
        ({"errorType": "ExampleError", "errorMessage": "examples/a gets no answer: b"}, "examples/a gets no answer: b"),
        ("what nobody expects", "what nobody expects"),
        ({"errorMessage": "only words"}, "only words"),
        ({"errorType": "KeyError", "errorMessage": "'a'", "stackTrace": None}, "/p/predictor.py: KeyError: 'a'"),
    ],
)
def test_reports_without_frames(payload: object, words: str) -> None:
    assert words in of_report(payload, Path("/p"))
