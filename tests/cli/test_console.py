"""What a person sees, when stderr is no terminal: plain lines, nothing lost, nothing taken for markup."""

from __future__ import annotations

import json

import pytest
from rich.table import Column, Table

from lambdacap.cli.complaint import complain
from lambdacap.cli.console import Console, screen, visible
from lambdacap.errors import LambdacapError
from lambdacap.events import Event, Finished, Progress, Started, Warned, silent

STEPS: list[Event] = [
    Started("role", "IAM role"),
    Progress("role", "waiting", 1, 2),
    Finished("role", "created", "arn:x"),
    Warned("take care"),
]


def test_steps_go_to_stderr_as_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Console() as console:
        for event in STEPS:
            console.report(event)
        console.note("done")
        console.result("the result", {})
    output = capsys.readouterr()
    assert output.out == "the result\n"
    assert output.err == "✓ role         created  arn:x\n! take care\ndone\n"


@pytest.mark.parametrize(
    ("action", "mark"), [("kept", "="), ("absent", "="), ("removed", "-"), ("updated", "~"), ("ready", "✓")]
)
def test_an_action_has_its_mark(action: str, mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    Console().report(Finished("api", action))
    assert capsys.readouterr().err.split() == [mark, "api", action]


def test_a_long_detail_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Console().report(Finished("image", "pushed", "x" * 300))
    assert "x" * 300 in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[red]", "a [bold]b[/] c", "[/]", "x\\[y]", "['image/*']"])
def test_markup_in_what_is_told_is_text(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(debug=True)
    console.report(Started("x", text))
    console.report(Progress("x", text))
    console.report(Finished("x", "created", text))
    console.report(Warned(text))
    console.note(text)
    complain(LambdacapError(text, hint=text))
    complain(RuntimeError(text))
    assert capsys.readouterr().err.count(text) == 7


def test_progress_is_for_terminals_and_debug(capsys: pytest.CaptureFixture[str]) -> None:
    Console().report(Progress("image", "Step 1/9", 1_000_000, 2_000_000))
    assert capsys.readouterr().err == ""
    Console(debug=True).report(Progress("image", "Step 1/9", 1_000_000, 2_000_000))
    assert capsys.readouterr().err.strip() == "Step 1/9 1.0 of 2.0 MB"


def test_the_result_as_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"caption": "ein Bär [red]", "words": ["ein"], "p": -1.5, "none": None}
    Console(json_output=True).result("plain", data)
    output = capsys.readouterr()
    assert json.loads(output.out) == data
    assert output.err == ""


def test_a_table_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("resource", "state", box=None)
    table.add_row("api", "ok")
    Console().result(table, {})
    # In a pipe no line ends in blanks.
    assert [line.split(maxsplit=1) for line in capsys.readouterr().out.split("\n")] == [
        ["resource", "state"],
        ["api", "ok"],
        [],
    ]


CONTROLS = "".join(map(chr, (*range(9), 11, 12, *range(13, 32), *range(127, 160), 0x202E, 0x2028, 0xD800)))


@pytest.mark.parametrize("width", [None, 40])
def test_a_cell_of_a_table_drops_nothing_and_obeys_nothing(
    width: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = visible(CONTROLS, lines=False)
    table = Table("\x07head", Column("\x1b[2J", overflow="fold"), Column("", justify="right"), box=None, pad_edge=False)
    table.add_row(CONTROLS, f"[red]{CONTROLS}[/]", "end")
    table.add_row("x", "\x1b]8;;http://evil.example\x1b\\\\press\x1b]8;;\x1b\\\\", "end")
    if width is None:
        Console().result(table, {})
        shown = capsys.readouterr().out
        assert "\\x07head" in shown
        assert shown.count(words) == 2
        lines = shown.splitlines()
        assert len({len(line) for line in lines if line.endswith("end")}) == 1  # measured as it is shown
    else:
        out = screen(width=width)
        out.print(table)
        shown = capsys.readouterr().out
    assert all(letter.isprintable() or letter == "\n" for letter in shown)


def test_an_expected_error_is_a_line_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert complain(LambdacapError("it broke " * 30, hint="mend it")) == 1
    output = capsys.readouterr()
    assert output.err.splitlines() == [f"error: {'it broke ' * 30}", "hint:  mend it"]
    assert output.out == ""


def test_an_error_without_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert complain(LambdacapError("it broke")) == 1
    assert capsys.readouterr().err == "error: it broke\n"


def test_an_unexpected_error_is_called_a_defect(capsys: pytest.CaptureFixture[str]) -> None:
    assert complain(KeyError("x")) == 1
    error = capsys.readouterr().err
    assert "defect: KeyError: 'x'" in error
    assert "--debug" in error


def test_an_interruption_has_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert complain(KeyboardInterrupt()) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_traceback_with_debug_only(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise LambdacapError("it broke")

    def show(debug: bool) -> str:
        try:
            fail()
        except LambdacapError as error:
            complain(error, debug=debug)
        return capsys.readouterr().err

    assert "Traceback" not in show(debug=False)
    assert "Traceback" in show(debug=True)


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    for event in STEPS:
        silent(event)
    assert capsys.readouterr() == ("", "")
