"""What would stop a deploy, found before it starts: on this machine here, on AWS in `aws`.

A check yields findings and never raises; what cannot be found out is a warning.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from lambdacap.aws.clients import translated
from lambdacap.aws.hints import install_extra
from lambdacap.errors import EngineError, LambdacapError
from lambdacap.events import Event, Finished, Progress, Report, Started, Warned
from lambdacap.images import docker_context, docker_engine
from lambdacap.insight.doctor.aws import examine as examine_aws
from lambdacap.insight.doctor.finding import FAIL, OK, WARN, Finding, tried
from lambdacap.local import cloud
from lambdacap.model import convert, weights
from lambdacap.model.bundle import is_bundle
from lambdacap.operations.deploy import Survey
from lambdacap.operations.prerequisites import LOCAL_EXTRA
from lambdacap.projects.readiness import prepare
from lambdacap.resources.image import Image
from lambdacap.settings import ARCHITECTURES, Settings

IMAGE_ROOM = 3_000_000_000
"""Bytes that a build takes in the engine, base image and layers of a deploy before among them."""
MODEL_ROOM = 1_500_000_000
"""Bytes in the cache for the published weights, the bundle, and what the converter needs in between."""
FUNCTION_ROOM = 200_000_000
"""Bytes for the copies that function processes run from."""
_EMULATORS = {"x86_64": "qemu-x86_64", "arm64": "qemu-aarch64"}
_HERE = {"amd64": "x86_64", "aarch64": "arm64"}
"""What Docker calls an architecture, where Lambda calls it otherwise."""


def examine(settings: Settings, report: Report) -> Iterator[Finding]:
    """Every check, in the order in which a deploy would come by what it finds."""
    report(Started("doctor", "examining"))
    for check, look in _CHECKS.items():
        report(Progress("doctor", check))
        yield from tried(check, lambda look=look: look(settings))  # type: ignore[misc]
    survey = yield from examine_aws(settings, report)
    report(Progress("doctor", "engine"))
    yield from tried("engine", lambda: _engine(settings, needed=_must_build(survey)))


def nearest(path: Path) -> Path:
    """The folder that is there, of `path` and those above it."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _image_folder(settings: Settings) -> Iterator[Finding]:
    try:
        files = docker_context.context_files(settings.image)
    except LambdacapError as error:
        yield Finding("image folder", FAIL, error.message, error.hint)
        return
    yield Finding("image folder", OK, f"{settings.image}, {len(files)} files")


def _predictor(settings: Settings) -> Iterator[Finding]:
    """Of a project: whether the predictor can be served, as far as that can be seen without installing anything."""
    told: list[Event] = []
    try:
        prepare(settings, told.append, dry=True)
    except LambdacapError as error:
        yield Finding("predictor", FAIL, error.message, error.hint)
        return
    for event in told:
        if isinstance(event, Warned):
            yield Finding("predictor", WARN, event.text)
        elif isinstance(event, Finished):
            yield Finding("predictor", OK, event.detail)


def _weights(settings: Settings) -> Iterator[Finding]:
    """Whether the model is here, or what it takes to get it."""
    try:
        what = weights.choice(settings)
        folder = weights.ready(settings, what) if what else None
        if what and folder is None:
            convert.check_extra()
    except LambdacapError as error:
        yield Finding("weights", FAIL, error.message, error.hint)
        return
    if what is None:
        own = settings.image / "model"
        demo = is_bundle(settings.image / "demo" / "bundle") and not own.is_dir()
        yield Finding("weights", OK, "the demo model" if demo else f"what {settings.image} holds")
    elif folder:
        yield Finding("weights", OK, f"{what}, ready in {folder}")
    else:
        yield Finding(
            "weights",
            WARN,
            f"{what}: to be downloaded and converted first",
            "`lambdacap model fetch` downloads ahead; `--weights demo` needs none.",
        )


def _disk(settings: Settings) -> Iterator[Finding]:
    """Room where lambdacap itself writes: the cache, the state, temporary files."""
    what = weights.choice(settings)
    model = MODEL_ROOM if what and weights.ready(settings, what) is None else 0
    state = FUNCTION_ROOM if settings.local else 0
    needs: dict[int, tuple[Path, int]] = {}
    for path, need in ((settings.cache, model), (settings.home, state), (Path(tempfile.gettempdir()), FUNCTION_ROOM)):
        folder = nearest(path)
        first, before = needs.get(folder.stat().st_dev, (folder, 0))
        needs[folder.stat().st_dev] = (first, before + need)
    for folder, need in needs.values():
        yield room("disk", folder, need)


def room(check: str, folder: Path, need: int) -> Finding:
    """Whether `need` bytes fit into `folder`'s file system."""
    free = shutil.disk_usage(folder).free
    words = f"{free / 1e9:.1f} GB free at {folder}; {need / 1e9:.1f} GB are wanted"
    return Finding(check, OK, words) if free >= need else Finding(check, FAIL, words, "Make room there.")


def _must_build(survey: Survey | None) -> bool:
    """Whether a deploy would build the image, as far as that can be seen."""
    if survey is None or survey.site is None:
        return True
    with translated(survey.site.aws):
        return Image().must_build(survey.site, survey.states[Image.kind])


def _engine(settings: Settings, *, needed: bool) -> Iterator[Finding]:
    """A Docker engine, whether it builds for the wanted architecture, and its room."""
    if settings.local and not settings.docker:
        yield Finding("engine", OK, "none is wanted: the function runs as a process")
        return
    try:
        engine = docker_engine.describe()
    except EngineError as error:
        if settings.local:
            yield Finding("engine", WARN, f"{error.message}: the function runs as a process", error.hint)
        elif not needed:
            yield Finding("engine", WARN, f"{error.message}; this image is in ECR already, and needs none")
        else:
            yield Finding("engine", FAIL, error.message, error.hint)
        return
    yield Finding("engine", OK, f"Docker {engine.version} at {engine.url}")
    if not needed:
        return
    yield architecture(settings.architecture, engine)
    folder = Path(engine.root)
    if engine.here and folder.is_dir():
        yield room("engine's disk", folder, IMAGE_ROOM)
    else:
        words = f"cannot be seen from here; {IMAGE_ROOM / 1e9:.0f} GB are wanted"
        yield Finding("engine's disk", WARN, words)


def architecture(wanted: str, engine: docker_engine.Engine) -> Finding:
    """Whether the engine builds images for `wanted`."""
    own = _HERE.get(engine.architecture, engine.architecture)
    if own == wanted:
        return Finding("architecture", OK, f"the engine builds for {wanted} as its own")
    words = f"--arch {wanted} on an engine of {own}"
    hint = (
        f"Install emulation (`docker run --privileged --rm tonistiigi/binfmt --install {ARCHITECTURES[wanted][6:]}`), "
        f"or deploy with --arch {own}."
    )
    if "Desktop" in engine.system or not engine.here:
        return Finding("architecture", WARN, f"{words}: emulated, slowly, if it emulates at all", hint)
    if (Path("/proc/sys/fs/binfmt_misc") / _EMULATORS[wanted]).exists():
        return Finding("architecture", WARN, f"{words}: it emulates that, slowly", f"--arch {own} builds faster.")
    return Finding("architecture", FAIL, f"{words}, which cannot emulate it", hint)


def _local(settings: Settings) -> Iterator[Finding]:
    """What `--local` needs: the extra, and a cloud that runs or can be started."""
    if not settings.local:
        return
    missing = [name for name in LOCAL_EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        yield Finding(
            "local cloud",
            FAIL,
            f"not installed: {', '.join(missing)}",
            install_extra("local"),
        )
        return
    running = cloud.running(settings.home)
    yield Finding("local cloud", OK, f"runs at {running.endpoint}" if running else "installed; a deploy starts it")


_CHECKS: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "image folder": _image_folder,
    "predictor": _predictor,
    "weights": _weights,
    "disk": _disk,
    "local cloud": _local,
}
