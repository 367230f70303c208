"""What work tells of itself while it goes on. Who shows it, and how, is not the work's business."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Started:
    """A step begins: `kind` is the resource or stage, `title` says what is done."""

    kind: str
    title: str


@dataclass(frozen=True)
class Progress:
    """A step goes on: `text` is the latest news; `done` of `total` in bytes when it is known."""

    kind: str
    text: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Counted:
    """A step over many things goes on: `done` of `total` of them are over."""

    kind: str
    title: str
    done: int
    total: int


@dataclass(frozen=True)
class Finished:
    """A step is over.

    `action` is created, updated, kept, removed, absent, skipped, started, stopped, ready or failed.
    """

    kind: str
    action: str
    detail: str = ""


@dataclass(frozen=True)
class Warned:
    """Something that a person should know, and that does not stop the work."""

    text: str


Event = Started | Progress | Counted | Finished | Warned
Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """A `Report` that shows nothing."""
