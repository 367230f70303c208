"""Waiting for API Gateway's slow calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lambdacap.aws.clients import code, retry
from lambdacap.events import Progress
from lambdacap.resources.resource import Site

T = TypeVar("T")


def patiently(site: Site, call: Callable[[], T]) -> T:
    """What `call` returns once API Gateway takes it.

    It lets an account delete one API in 30 s, change one usage plan in 20, make one deployment in 5 and one API in 3
    (its guide: quotas for creating, deploying and managing an API); others may be doing it too.
    """
    return retry(
        call,
        when=lambda error: code(error) == "TooManyRequestsException",
        limit=240,
        every=31,
        waiting=lambda spent, left: site.report(
            Progress("api", f"API Gateway allows few of these calls: next try in {left:.0f} s ({spent:.0f} s so far)")
        ),
        sleep=site.sleep,
    )
