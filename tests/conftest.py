"""One local cloud for the whole session; a name of its own for every test."""

from __future__ import annotations

import functools
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

import botocore.loaders
import botocore.session
import pytest

from lambdacap.aws.clients import connect
from lambdacap.deployment.record import Deployment, Records
from lambdacap.events import silent
from lambdacap.images import docker_context
from lambdacap.local import cloud
from lambdacap.operations import deploy
from lambdacap.operations.teardown import teardown
from lambdacap.resources import Site
from lambdacap.settings import Settings
from tests import processes, reaper
from tests.command import NO_ENGINE, Command
from tests.tiers import (  # noqa: F401 - pytest's hooks
    pytest_configure,
    pytest_deselected,
    pytest_itemcollected,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
    pytest_xdist_make_scheduler,
)

STUB = Path(__file__).parent / "stub_image"
ACCOUNT, REGION = "000000000000", "us-east-1"
PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
_numbers = itertools.count(1)

# Every session of botocore reads megabytes of JSON, and tests make hundreds: let one reader serve them.
botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)

# A shell starts what runs in its background deaf to Ctrl-C, and children inherit it: the commands that tests
# interrupt would go on.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the user's AWS set-up, settings or proxies reaches a test."""
    settings = {f"LAMBDACAP_{field.name.upper()}" for field in fields(Settings)}
    for key in os.environ:
        if key.startswith("AWS_") or key in settings or key.lower() in PROXIES:
            monkeypatch.delenv(key)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@contextmanager
def without_engine() -> Iterator[None]:
    """These tests are about function processes; those in tests/docker are about engines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", NO_ENGINE)
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_outlives_the_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Killed test runs leave no local cloud either."""
    with reaper.reaping(tmp_path_factory.getbasetemp()):
        yield


@pytest.fixture
def no_engine() -> Iterator[None]:
    with without_engine():
        yield


@pytest.fixture(scope="session")
def cloud_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a running local cloud. A record keeps it from being stopped with a test's deployment."""
    home = tmp_path_factory.mktemp("cloud") / "home"
    with without_engine():
        started = cloud.start(home, silent)
    Records(home).save(Deployment("keeps-the-cloud", target="local", account=ACCOUNT, region=REGION))
    yield home
    cloud.discard(home, silent)
    assert processes.belonging_to(home) == []
    assert not processes.listens(urlsplit(started.endpoint).port or 0)
    assert not (home / "local").exists()


@pytest.fixture
def name() -> str:
    """A deployment's name that no other test has."""
    return f"test-{next(_numbers)}"


@contextmanager
def standing_deployment(name: str, home: Path) -> Iterator[Settings]:
    """The stub, deployed under `name` in the local cloud of `home`, for all tests of a module.

    The engine is hidden while it is made and removed, and not in between: other modules' fixtures want to see it.
    """
    settings = Settings(name=name, local=True, docker=False, image=STUB, home=home)
    with without_engine():
        deploy.deploy(settings, silent)
    yield settings
    with without_engine():
        teardown(settings, silent)


@pytest.fixture
def settings(cloud_home: Path, name: str, no_engine: None) -> Settings:  # noqa: ARG001 - for its effect
    """Settings for a deployment of the stub in the session's local cloud."""
    return Settings(name=name, local=True, docker=False, image=STUB, home=cloud_home)


@pytest.fixture
def site(settings: Settings) -> Site:
    """The session's local cloud as resources see it, with nothing deployed there."""
    here = cloud.read_cloud(settings.home)
    endpoint = here.endpoint
    aws = connect(region=None, profile=None, endpoint=endpoint, secret=here.secret)
    blank = Deployment(settings.name, target="local", account=aws.account, region=aws.region, endpoint=endpoint)
    return Site(aws, settings, blank, silent)


@pytest.fixture
def deployed(settings: Settings) -> Iterator[deploy.Deployed]:
    """The stub, deployed in the session's local cloud."""
    yield deploy.deploy(settings, silent)
    if settings.name in {d.name for d in Records(settings.home).all()}:
        teardown(settings, silent)


@pytest.fixture
def lambdacap(tmp_path: Path) -> Command:
    """The installed command, with a home of its own in which nothing runs."""
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    return Command(folder, tmp_path / "home")


@pytest.fixture
def shared(tmp_path: Path, cloud_home: Path, name: str) -> Command:
    """The installed command, working on this test's deployment of the stub in the session's local cloud."""
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    environ = {"LAMBDACAP_NAME": name, "LAMBDACAP_IMAGE": str(STUB), "LAMBDACAP_DOCKER": "no"}
    return Command(folder, cloud_home, environ)


@pytest.fixture
def own_cloud(lambdacap: Command) -> Iterator[Command]:
    """The installed command with a home in which a cloud may be started; whatever is left there is ended."""
    yield Command(lambdacap.folder, lambdacap.home, {"LAMBDACAP_IMAGE": str(STUB), "LAMBDACAP_DOCKER": "no"})
    cloud.discard(lambdacap.home, silent)


@pytest.fixture
def image_folder(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Makes image folders from `{path: content}`."""

    def make(files: dict[str, str]) -> Path:
        folder = tmp_path / f"image-{next(_numbers)}"
        for path, content in {"Dockerfile": "FROM scratch\n", **files}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content, "utf-8")
        docker_context.content_tag.cache_clear()
        return folder

    return make
