"""What installers say when they cannot, in a sentence; and both of them at work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lambdacap.errors import ProjectError
from lambdacap.events import silent
from lambdacap.images import project_context
from lambdacap.projects import environment as environments
from lambdacap.projects import installer, interpreter
from tests.projects.folders import SHOUT, write

UV = """Using Python 3.13.0 environment at: u13
error: No solution found when resolving dependencies
  cause: Because facenet-pytorch>=2.6.0 depends on pillow>=10.2.0,<10.3.0 and you require facenet-pytorch>=2.6, we \
can conclude that you require pillow>=10.2.0,<10.3.0.
         And because you require pillow>=11, we can conclude that your requirements are unsatisfiable.
"""
OLDER_UV = """  × No solution found when resolving dependencies:
  ╰─▶ Because you require pillow<10 and pillow>=11, we can conclude that your
      requirements are unsatisfiable.
"""
PIP = """Collecting facenet-pytorch>=2.6 (from -r requirements.txt (line 1))
INFO: pip is looking at multiple versions of facenet-pytorch. This could take a while.
ERROR: Cannot install -r requirements.txt (line 1) and pillow>=11 because these package versions have conflicting \
dependencies.

The conflict is caused by:
    The user requested pillow>=11
    facenet-pytorch 2.6.0 depends on Pillow<10.3.0 and >=10.2.0

To fix this you could try to:
1. loosen the range of package versions you've specified

ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/
"""
NO_WHEEL = """ERROR: Could not find a version that satisfies the requirement pillow<10 (from versions: 10.4.0, 11.0.0)
ERROR: No matching distribution found for pillow<10
"""
UNKNOWN = """ERROR: Could not find a version that satisfies the requirement nowhere-to-be==9 (from versions: none)
ERROR: No matching distribution found for nowhere-to-be==9
"""
SERVING = {"pillow": "pillow>=11", "pi-heif": "pi-heif>=1.0"}


@pytest.mark.parametrize(
    ("said", "sides"),
    [
        (UV, ("facenet-pytorch>=2.6.0 depends on pillow>=10.2.0,<10.3.0", "you require pillow>=11")),
        (OLDER_UV, ("pillow<10", "pillow>=11")),
        (PIP, ("The user requested pillow>=11", "facenet-pytorch 2.6.0 depends on Pillow<10.3.0")),
        (NO_WHEEL, ("pillow<10", "pillow>=11")),
    ],
)
def test_a_conflict_names_both_sides(said: str, sides: tuple[str, str]) -> None:
    words = installer.conflict(said, SERVING)
    assert all(side in words for side in sides)
    assert not set("╰─▶×\n") & set(words)


def test_what_is_no_conflict_is_none() -> None:
    assert installer.conflict(UNKNOWN, SERVING) == ""
    assert "nowhere-to-be==9 (from versions: none)" in installer.reason(UNKNOWN)
    assert installer.reason("WARNING: something\nlast words\n") == "last words"


def test_what_an_installer_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.org/simple")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    seen = installer.environment()
    assert seen["PIP_INDEX_URL"] == "https://example.org/simple"
    assert "secret" not in seen.values()


PIP_SETTINGS = r"""
:env:.find-links='/opt/wheels'
:env:.timeout='180'
global.extra-index-url='\nhttps://one.example/simple\nhttps://two.example/simple'
global.index-url="https://else.example/simple"
install.index-url='https://me:secret@mirror.example/simple'
"""


def test_uv_installs_from_where_pip_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    assert installer.as_uv_has_it(PIP_SETTINGS) == [
        *("--default-index", "https://me:secret@mirror.example/simple"),
        *("--index", "https://one.example/simple", "--index", "https://two.example/simple"),
        *("--find-links", "/opt/wheels", "--index-strategy", "unsafe-best-match"),
    ]
    assert installer.as_uv_has_it("") == []
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.example/simple")
    assert installer.as_uv_has_it(PIP_SETTINGS) == []


@pytest.mark.slow
@pytest.mark.parametrize("uv", [interpreter.uv_binary(), None], ids=["uv", "pip"])
@pytest.mark.parametrize(
    ("requirements", "words"),
    [
        ("pillow<10\n", r"together with what lambdacap's serving needs \(pillow>=[\d.]+\): .*pillow<10"),
        ("numpy<2\nnumpy>=2\n", "contradicts itself: .*numpy<2"),
        ("no-such-package-as-this==9\n", "cannot be installed for Python .*no-such-package-as-this"),
        ("msgspec\nsix\nmsgspec==0.18.6\n", "msgspec"),
        ("a line that is none\n", "cannot be installed"),
    ],
)
def test_what_cannot_be_installed_is_told(uv: str | None, requirements: str, words: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "project", {"predictor.py": SHOUT, "requirements.txt": requirements})
    files = project_context.read(folder).requirements
    wanted = environments.environment(files, interpreter.find(None), tmp_path / "cache")
    with pytest.raises(ProjectError, match=words) as caught:
        environments.make(wanted, folder, silent, uv=uv)
    assert str(folder / "requirements.txt") in caught.value.message
    assert caught.value.hint
    assert not wanted.folder.exists()
    assert sorted(path.name for path in (tmp_path / "cache" / "environments").iterdir()) == [".lock", "CACHEDIR.TAG"]


@pytest.mark.slow
@pytest.mark.parametrize("uv", [interpreter.uv_binary(), None], ids=["uv", "pip"])
def test_what_has_no_wheel_is_built(uv: str | None, tmp_path: Path) -> None:
    folder = write(tmp_path / "project", {"predictor.py": SHOUT, "requirements.txt": "docopt==0.6.2\n"})
    files = project_context.read(folder).requirements
    wanted = environments.environment(files, interpreter.find(None), tmp_path / "cache")
    environments.make(wanted, folder, silent, uv=uv)
    assert list(wanted.folder.glob("lib/*/site-packages/docopt.py"))
