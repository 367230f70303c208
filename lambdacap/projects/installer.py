"""uv, or else pip: what installs a project's requirements, and what either says when it cannot."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from lambdacap import children
from lambdacap.errors import ProjectError
from lambdacap.events import Progress, Report
from lambdacap.projects.interpreter import Interpreter

KIND = "predictor"
_THEIRS = ("PIP_", "UV_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NETRC", "XDG_CONFIG_HOME", "REQUESTS_CA_BUNDLE")
"""Besides, what an installer may know: where packages come from, which may take a password."""
_NOISE = re.compile(
    r"^(WARNING|DEPRECATION|\[notice\]|Looking in|error: subprocess-exited|ERROR: (Cannot install|Resolution)"
    r"|To fix this|\d\. |Using Python|The conflict is caused by|INFO: )"
)
_CONFLICT = re.compile(r"ResolutionImpossible|No solution found when resolving")
_NOWHERE = re.compile(r"was not found in|there (is|are) no versions? of|ha(s|ve) no usable wheels")
_NO_WHEEL = re.compile(
    r"all versions of ([\w.-]+) have no usable wheels|([\w.-]+)==\S+ has no usable wheels"
    r"|requirement ([\w.-]+)\S* .*\(from versions: none\)|No matching distribution found for ([\w.-]+)==\S+"
)
_LACKING = re.compile(r"No matching distribution found for ([\w.-]+)(\S*)")
_CAUSES = re.compile(r"The conflict is caused by:\n(.*?)(?:\n\n|\Z)", re.DOTALL)


def make_environment(uv: str | None, interpreter: Interpreter, folder: Path, report: Report) -> None:
    """An empty virtual environment in `folder`; with a pip of its own where no other can install into it."""
    if uv:
        command = [uv, "venv", "--quiet", "--no-project", "--python", str(interpreter.path), str(folder)]
    else:
        bare = ["--without-pip"] if _pip_fits(interpreter) else []
        command = children.python("venv", *bare, folder, by=interpreter.path)
    said = _run(command, folder.parent, report)
    if said is not None:
        raise ProjectError(
            f"Python {interpreter.version} ({interpreter.path}) makes no virtual environment: {_tail(said)}",
            hint="Install uv (`pip install uv`), or on Debian the package python3-venv.",
        )


def install(
    uv: str | None, interpreter: Interpreter, environment: Path, files: Sequence[str], folder: Path, report: Report
) -> str | None:
    """Install the requirements in `files` of `folder`; returns what was said when that failed, else None.

    What is imported is compiled then. Wheels alone, so that nothing is built for minutes that a wheel is there for; but
    for packages of which there is no other form.
    """
    python = environment / "bin" / "python"
    named = [word for file in files for word in ("-r", file)]
    if (folder / "wheels").is_dir():
        named += ["--find-links", "wheels"]
    if uv:
        sources_of_pip = as_uv_has_it(_output(children.python("pip", "config", "list"))) if _has_pip() else []
        command = [uv, "pip", "install", "--python", str(python), *sources_of_pip, *named]
    else:
        options = ["install", "--no-compile", "--no-input", "--disable-pip-version-check", "--progress-bar=off", *named]
        if _pip_fits(interpreter):
            command = children.python("pip", "--python", python, *options)
        else:
            command = children.python("pip", *options, by=python)
    sources: list[str] = []
    while True:
        forms = ["--only-binary", ":all:", *(word for name in sources for word in ("--no-binary", name))]
        said = _run([*command, *forms], folder, report)
        more = [name for name in _without_wheel(said or "") if name not in sources]
        if said is None or not more:
            return said
        report(Progress(KIND, f"there is no wheel of {', '.join(more)}: building it"))
        sources += more


def _without_wheel(said: str) -> list[str]:
    """The packages of which there is no wheel: none at all, or none of the very version that is asked for."""
    found = [next(filter(None, names)) for names in _NO_WHEEL.findall(said)]
    return list(dict.fromkeys(found))


def conflict(said: str, serving: Mapping[str, str]) -> str:
    """Who wants what, when that is why the installation failed; else nothing. `serving`: name → what is needed."""
    if not _CONFLICT.search(said):
        # Of what lies outside of the one side's range there may be no wheel at all.
        lacking = next((name for name in _LACKING.findall(said) if name[0].lower() in serving), None)
        return (
            f"the one side asks for {''.join(lacking)}, the other for {serving[lacking[0].lower()]}" if lacking else ""
        )
    causes = _CAUSES.search(said)
    words = causes[1] if causes else said.partition("cause:")[2].partition("\nhint:")[0] or said
    lines = (" ".join(re.sub(r"[╰─▶│×]+", " ", line).split()) for line in words.splitlines())
    named = re.findall(r"Cannot install (.+?) because", said)
    found = "; ".join(filter(None, lines)) if causes or "cause:" in said or not named else named[0]
    nowhere = _NOWHERE.search(found) and not any(name in found.lower() for name in serving)
    return "" if nowhere else found[:1500].rstrip(".")


def reason(said: str) -> str:
    """Why an installation failed, in the installer's own words: uv's error with its causes, pip's errors, the end."""
    begun = said.rfind("\nerror: ") + 1
    if "\n  cause: " in said[begun:]:
        return " ".join(said[begun:].removeprefix("error: ").replace("\n  cause: ", ": ").split())[:1500]
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    errors = [line for line in errors if line.strip() and not _NOISE.match(f"ERROR: {line}")]
    return "; ".join(dict.fromkeys(errors))[:1500] or _tail(said)


def environment() -> dict[str, str]:
    """What an installer sees of the user's variables: where packages come from, and no key of AWS."""
    theirs: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if name.startswith(_THEIRS) or name.upper() in _PROXIES
    }
    # A machine behind a proxy that looks into TLS trusts it in the system's store, which pip goes by, too.
    return children.environment(os.environ, (), **{"UV_SYSTEM_CERTS": "true", **theirs})


def as_uv_has_it(settings: str) -> list[str]:
    """uv's options for where packages come from by what `pip config list` prints: uv does not read pip's settings.

    None where uv has settings of its own in its variables.
    """
    if any(name.startswith("UV_") and re.search("INDEX|LINKS", name) for name in os.environ):
        return []
    found = {}
    for place in ("global", "install", ":env:"):  # the later goes before
        for name, value in re.findall(rf"^{place}\.\.?([a-z-]+)=(['\"].*['\"])$", settings, re.MULTILINE):
            found[name] = ast.literal_eval(value).split()
    options = {"index-url": "--default-index", "extra-index-url": "--index", "find-links": "--find-links"}
    options["constraint"] = "--constraint"
    words = [word for name, option in options.items() for value in found.get(name, []) for word in (option, value)]
    # To pip all of them are as good as one another.
    return [*words, "--index-strategy", "unsafe-best-match"] if "extra-index-url" in found else words


def _has_pip() -> bool:
    return importlib.util.find_spec("pip") is not None


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), stdin=subprocess.DEVNULL)
    return done.stdout if done.returncode == 0 else ""


def _pip_fits(interpreter: Interpreter) -> bool:
    """Whether lambdacap's own pip installs for it: it runs by that Python, and old ones do not run by newer ones."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    return interpreter.minor == own and _has_pip()


def _run(command: list[str], folder: Path, report: Report) -> str | None:
    """Run it, report what it prints, and return that if it fails; None when it is well."""
    said: list[str] = []
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - asked for
        try:
            for line in process.stdout:
                said.append(line)
                if words := line.strip():
                    report(Progress(KIND, words))
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # pip starts another; leaving the block would wait for it
            raise
    return "".join(said) if process.returncode else None


def _tail(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip() and not _NOISE.match(line.strip())]
    return "\n".join(lines[-12:])[:1500]
