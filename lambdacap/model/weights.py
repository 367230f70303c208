"""`--weights`: from a word, a path or an address to the bundle that goes into the image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lambdacap.errors import ModelError
from lambdacap.events import Report, Warned
from lambdacap.model import bundle, cache, convert, fetch
from lambdacap.settings import Settings, variable
from lambdacap.settings.places import is_project

PUBLISHED, DEMO = "published", "demo"


def settle(settings: Settings, report: Report, *, dry: bool = False) -> Settings:
    """The settings with a bundle's folder as their `weights`, or None for what the image folder holds itself.

    Downloads and converts what is missing, once; with `dry` it only says so, and gives a folder where none is yet.
    Raises `ModelError`.
    """
    what = choice(settings)
    if is_project(settings.image) and settings.weights is not None:
        report(Warned(f"{variable('weights')} is for the captioner: {settings.image} brings weights of its own"))
    if what is None:
        return replace(settings, weights=None)
    folder = ready(settings, what)
    if folder is None and dry:
        report(Warned(f"the weights ({what}) are not prepared yet: a deploy downloads and converts them first"))
        folder = settings.cache / "bundles" / "to-come"
    return replace(settings, weights=str(folder or prepare(settings, what, report)))


def choice(settings: Settings) -> str | None:
    """What the settings mean: their own word, else what suits image folder and target. None: the folder's own.

    On AWS it is the published weights, since people deploy there to use them; locally the demo's, which need no
    download. A folder with a `model/` or a `model.pickle`, or without a demo model, is somebody's own and brings what
    it needs.
    """
    if is_project(settings.image):
        # Who has the variable set means no project by it.
        if settings.weights is not None and settings.given.get("weights") != variable("weights"):
            raise ModelError(
                f"weights {settings.weights!r} are the captioner's, but {settings.image} is a project with a predictor "
                f"of its own ({settings.given.get('weights', '--weights')})",
                hint="Leave that out: a project's weights lie in its folder. --image names another folder.",
            )
        return None
    own, demo = settings.image / "model", settings.image / "demo" / "bundle"
    pickle = settings.image / "model.pickle"
    if settings.weights == DEMO:
        if not bundle.is_bundle(demo):
            raise ModelError(f"{settings.image} holds no demo model", hint="--weights takes a path or an address, too.")
        return str(demo) if own.is_dir() or pickle.is_file() else None
    if settings.weights is not None:
        return settings.weights
    if pickle.is_file() and not own.is_dir():
        return str(pickle)  # converted here, where the result is kept, and not with every new image
    return None if settings.local or own.is_dir() or not bundle.is_bundle(demo) else PUBLISHED


def ready(settings: Settings, what: str) -> Path | None:
    """The bundle's folder if nothing has to be downloaded or converted for it; else None. Writes nothing.

    Raises `ModelError` for a path where nothing is.
    """
    if _is_address(what):
        found = cache.cached(_address(what), settings.cache)
        if found is None:
            return None
        source = found.file
    else:
        source = _path(what)
        if source.is_dir():
            return bundle.inspect(source).folder
    folder = convert.bundle_folder(source, settings.cache, convert.Conversion())
    return folder if bundle.is_bundle(folder) else None


def prepare(settings: Settings, what: str, report: Report) -> Path:
    """The bundle's folder, from weights that are first downloaded, if they lie elsewhere, and converted."""
    # Before a long download and not after it.
    convert.check_extra()
    source = fetch.fetch(_address(what), settings.cache, report).file if _is_address(what) else _path(what)
    return convert.convert_once(source, settings.cache, convert.Conversion(), report)


def _is_address(what: str) -> bool:
    return what == PUBLISHED or what.startswith(("https://", "http://"))


def _address(what: str) -> str:
    return fetch.PUBLISHED if what == PUBLISHED else what


def _path(what: str) -> Path:
    path = Path(what).expanduser().absolute()
    if not path.exists():
        raise ModelError(
            f"--weights {what}: there is no such file or folder",
            hint=f"It takes {PUBLISHED}, {DEMO}, a model.pickle, a bundle's folder, or an address.",
        )
    return path
