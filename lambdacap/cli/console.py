"""What a person sees: steps and progress on stderr, results on stdout, errors in one place.

Captions, errors of servers, names of files and lines of logs are others' words. A terminal obeys what it is sent, so
nothing leaves here with a character in it that is no character to see: `visible` and `Screen` write those out.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sys
import threading
import time
import unicodedata
from typing import TYPE_CHECKING, Any

from lambdacap.cli.invocation import completed
from lambdacap.errors import SettingsError
from lambdacap.events import Counted, Event, Finished, Progress, Started, Warned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from PIL.Image import Image as Picture
    from rich.console import Console as RichConsole
    from rich.progress import Progress as Bar
    from rich.status import Status
    from rich.table import Table
    from rich.text import Text

_MARKS = {
    "kept": "[dim]=[/]",
    "absent": "[dim]=[/]",
    "skipped": "[dim]-[/]",
    "removed": "[red]-[/]",
    "stopped": "[red]-[/]",
    "updated": "[yellow]~[/]",
    "failed": "[red]✗[/]",
}
_WIDE = 1000
_UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
"""Unicode's categories of what is obeyed and not shown: controls, directions and joints, half characters, line ends."""
_JOINTS = "\u200c\u200d"
"""Of these only what Persian and emoji are spelled with."""


class Console:
    """One command's output. `report` takes the events of the work; `result` prints what it came to.

    Many results are printed one by one, by `line`. Threads may report.
    """

    def __init__(self, *, json_output: bool = False, debug: bool = False) -> None:
        self.json_output = json_output
        self.debug = debug
        self.options: Mapping[str, str] = {}
        """What the user typed to say which deployment is meant: so are commands told that work on it."""
        self._begun = time.monotonic()
        self._lock = threading.RLock()
        self._status: Status | None = None
        self._bar: Bar | None = None
        self._title = ""
        self._rich: RichConsole | None = None
        self._out: RichConsole | None = None

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def report(self, event: Event) -> None:
        """Show one event of the work on stderr."""
        with self._lock:
            self._show(event)

    def _show(self, event: Event) -> None:
        match event:
            case Started(title=title):
                self._title, self._begun = title, time.monotonic()
                self._spin(title)
            case Progress(text=text, done=done, total=total):
                amount = f" {done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else ""
                self._spin(f"{self._title}: [dim]{_line(text[:100])}{amount}[/]")
                if self.debug:
                    self._err.print(f"  [dim]{_line(text)}{amount}[/]", soft_wrap=True)
            case Counted(title=title, done=done, total=total):
                self._count(_line(title), done, total)
            case Finished(kind=kind, action=action, detail=detail):
                self._clear()
                seconds = time.monotonic() - self._begun
                took = f" [dim]{seconds:.1f} s[/]" if seconds >= 1 and action != "failed" else ""
                mark = _MARKS.get(action, "[green]✓[/]")
                self._err.print(f"{mark} {kind:<12} {action:<8} {_line(detail)}{took}", soft_wrap=True)
            case Warned(text=text):
                self._clear()
                self._err.print(f"[yellow]![/] {_line(completed(text, self.options))}", soft_wrap=True)

    def note(self, text: str) -> None:
        """A line for the person, on stderr: not part of the result."""
        self._clear()
        self._err.print(_line(completed(text, self.options)), soft_wrap=True)

    def result(self, plain: str | Table, data: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Print the result on stdout: `data` as one JSON document with --json, else `plain`."""
        self._clear()
        if self.json_output:
            sys.stdout.write(_json(data, indent=2) + "\n")
        elif isinstance(plain, str):
            sys.stdout.write(visible(plain) + "\n")
        else:
            if sys.stdout.isatty():
                screen().print(plain)
                return
            # In a pipe nothing is folded: what reads it wants whole lines. Rich fills them up with blanks.
            wide = screen(width=_WIDE)
            with wide.capture() as capture:
                wide.print(plain)
            sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))

    def raw(self, content: bytes) -> None:
        """A file's bytes on stdout, which is no terminal."""
        self._clear()
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()

    def address(self, url: str, data: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """`result` for a URL: to click on, where stdout is a terminal that can."""
        # What is no address of ASCII is none to click on.
        if self.json_output or not sys.stdout.isatty() or not re.fullmatch(r"https?://[!-~]+", url):
            self.result(visible(url, lines=False), data)
            return
        from rich.text import Text

        self._clear()
        screen(highlight=False).print(Text(url, style=f"link {url}"), soft_wrap=True)

    def line(self, plain: str | None, data: Any, *, markup: bool = False) -> None:  # noqa: ANN401 - as JSON can hold
        """Print one of many results on stdout: `data` as one line of JSON with --json, else `plain` if there is one.

        `markup`: it is Rich's, for colours in a terminal.
        """
        with self._lock:
            text = _json(data) if self.json_output else plain
            if text is None:
                return
            self._clear()
            if markup and not self.json_output:
                if self._out is None:
                    self._out = screen(highlight=False)
                self._out.print(visible(text), soft_wrap=True)  # before Rich drops some of them
                return
            sys.stdout.write(visible(text, lines=False) + "\n")
            sys.stdout.flush()

    @property
    def width(self) -> int:
        """Columns of the terminal that stdout is; 80 when it is none."""
        return shutil.get_terminal_size().columns

    def picture(self, titles: list[str], picture: Picture) -> None:
        """Show a picture on stdout under a line of titles, each over its share of the width.

        As finely as the terminal can: by kitty's or the sixel protocol, else in coloured block characters, and in
        a pipe in grey ones. Raises `SettingsError` when the terminal cannot be asked which it is.
        """
        if sys.stdout.isatty() and not (sys.stdin.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns):
            raise SettingsError(
                "this terminal cannot be asked how it shows pictures: stdin is something else, or it has no size",
                hint="Leave stdin alone, or write the picture to a file.",
            )
        self._clear()
        # It warns of terminals that do not tell the size of their characters; its guess does.
        logging.getLogger("textual_image").setLevel(logging.ERROR)
        from rich.console import Console as RichConsole
        from textual_image.renderable import Image

        each = self.width // len(titles)
        out = RichConsole(width=self.width, highlight=False)
        shown = [visible(title, lines=False) for title in titles]
        out.print("".join(title[: each - 1].center(each) for title in shown).rstrip(), markup=False)
        out.print(Image(picture, width=self.width))

    @property
    def _err(self) -> RichConsole:
        if self._rich is None:
            self._rich = screen(stderr=True, highlight=False)
        return self._rich

    def _spin(self, text: str) -> None:
        if not self._err.is_terminal:
            return
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], description=text, refresh=True)
        elif self._status is None:
            self._status = self._err.status(text)
            self._status.start()
        else:
            self._status.update(text)

    def _count(self, title: str, done: int, total: int) -> None:
        if not self._err.is_interactive:
            return
        if self._bar is None:
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar
            from rich.table import Column

            self._title = title
            text = TextColumn(
                "{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=50)
            )
            columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            # Redirected, stdout's lines would go to stderr.
            self._bar = Bar(*columns, console=self._err, transient=True, auto_refresh=False, redirect_stdout=False)
            self._bar.add_task(title, total=total)
            if self._status is not None:  # of two at a time, each would draw the other
                self._status.stop()
                self._status = None
        self._bar.start()  # again, after a line was printed
        self._bar.update(self._bar.task_ids[0], description=title, completed=done, refresh=True)

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._status is not None:
            self._status.stop()
            self._status = None


def visible(text: str, *, lines: bool = True) -> str:
    """The text with what a terminal would obey, or nobody would see, written out: ESC becomes `\\x1b`.

    Ends of lines are kept, unless `lines` is false: then it is one line, as a script that reads it wants.
    """
    text = text.replace("\r\n", "\n")
    if text.isprintable():
        return text
    kept = f"\n\t{_JOINTS}" if lines else f"\t{_JOINTS}"
    return "".join(
        repr(letter)[1:-1] if unicodedata.category(letter) in _UNSEEN and letter not in kept else letter
        for letter in text
    )


def screen(**options: Any) -> RichConsole:  # noqa: ANN401 - Rich's own
    """Rich's console, which itself sends a terminal its colours, for others' words: these are `visible`."""
    from rich.console import Console as RichConsole
    from rich.segment import Segment

    class Screen(RichConsole):
        def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401
            # Every cell of a table comes by here. Rich would drop some of it, and measure what it then does not show.
            return super().render_str(visible(text), **how)

        def render(self, *what: Any, **how: Any) -> Iterator[Segment]:  # noqa: ANN401
            for segment in super().render(*what, **how):
                yield segment if segment.control else Segment(visible(segment.text), segment.style)

    return Screen(**options)


def _json(data: object, indent: int | None = None) -> str:
    # Beyond ASCII all is escaped; of ASCII all but this.
    return json.dumps(data, indent=indent).replace("\x7f", "\\u007f")


def _line(text: str) -> str:
    return _escape(visible(text, lines=False))


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
