"""What a deploy needs of this machine and its user: looked at before anything is downloaded, and told together."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from lambdacap.aws.clients import connect, credentials
from lambdacap.aws.hints import install_extra
from lambdacap.deployment.record import Records, follow
from lambdacap.errors import DeploymentError, LambdacapError, LocalCloudError, StorageError
from lambdacap.images import docker_engine
from lambdacap.model import convert, weights
from lambdacap.settings import Settings

LOCAL_EXTRA = ("ministack", "onnxruntime", "numpy")


def check(settings: Settings, *, signs_in: bool = True) -> None:
    """Raise what is missing: an error of its own kind, or a `DeploymentError` that holds several.

    `signs_in` is False for who only builds. Whether ECR has the image already is not known yet: so an engine is
    only asked for when a model has to be prepared first, which makes a new image, or when something else is missing.
    """
    missing: list[LambdacapError] = []

    def look(at: Callable[[], object]) -> None:
        try:
            at()
        except LambdacapError as error:
            missing.append(error)

    ahead = False
    try:
        ahead = _prepares(settings)
    except LambdacapError as error:
        missing.append(error)
    if ahead:
        look(convert.check_extra)
    look(lambda: _writable(settings.home))
    if settings.local:
        look(_local_extra)
    elif signs_in:
        look(lambda: _credentials(settings, asked=ahead))
    if not settings.local and (ahead or missing):
        look(lambda: docker_engine.connect().close())
    if len(missing) == 1:
        raise missing[0]
    if missing:
        raise DeploymentError(
            f"{len(missing)} things are missing: " + "; ".join(error.message for error in missing),
            hint=" ".join(error.hint for error in missing if error.hint),
        )


def _prepares(settings: Settings) -> bool:
    """Whether weights have to be downloaded or converted first."""
    what = weights.choice(settings)
    return what is not None and weights.ready(settings, what) is None


def _credentials(settings: Settings, *, asked: bool) -> None:
    """Before a long download AWS itself says whether it knows them; otherwise it will soon be asked anyway."""
    settings = follow(settings, Records(settings.home, lambda _: None), "aws")
    if asked:
        connect(region=settings.region, profile=settings.profile, endpoint=None)
    else:
        credentials(settings.region, settings.profile)


def _local_extra() -> None:
    lacking = [name for name in LOCAL_EXTRA if importlib.util.find_spec(name) is None]
    if lacking:
        raise LocalCloudError(
            f"the local cloud needs what is not installed: {', '.join(lacking)}", hint=install_extra("local")
        )


def _writable(home: Path) -> None:
    for folder in _upwards(home):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StorageError(
                f"no record can be kept in {home}: {folder} cannot be written",
                hint="See who owns it and whether its disk can be written; LAMBDACAP_HOME names another place.",
            )
        return


def _upwards(path: Path) -> Iterator[Path]:
    """The nearest folder that is there."""
    for folder in (path.absolute(), *path.absolute().parents):
        with suppress(OSError):
            folder.stat()
            yield folder
