"""Sites behind a proxy that answers as AWS does where the local cloud does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from lambdacap.aws.clients import connect
from lambdacap.events import Event, Progress, Warned
from lambdacap.local.cloud import read_cloud, write_cloud
from lambdacap.resources import Site
from tests.proxy import Proxy, between
from tests.sites import removed


@dataclass
class Seen:
    """What was told meanwhile, and the seconds that it would have slept."""

    events: list[Event] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    @property
    def progress(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Progress)]

    @property
    def warned(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Warned)]


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    with between(site.aws.endpoint or "") as started:
        yield started
    removed(site)


@pytest.fixture
def aside(site: Site, proxy: Proxy, seen: Seen) -> Site:
    """The site behind the proxy; waiting takes no time."""
    secret = read_cloud(site.settings.home).secret
    aws = connect(region=None, profile=None, endpoint=proxy.url, secret=secret)
    return replace(site, aws=aws, report=seen.events.append, sleep=seen.slept.append)


@pytest.fixture
def between_commands(cloud_home: Path) -> Iterator[Proxy]:
    """The proxy between whole commands and the session's local cloud."""
    cloud = read_cloud(cloud_home)
    with between(cloud.endpoint) as started:
        write_cloud(cloud_home, replace(cloud, endpoint=started.url))
        yield started
        write_cloud(cloud_home, cloud)
