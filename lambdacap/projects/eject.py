"""A project's whole Docker context as a folder of one's own, for who wants another image than lambdacap makes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from lambdacap.errors import ProjectError
from lambdacap.images import project_context
from lambdacap.storage import writing


def write(project: Path, target: Path) -> list[str]:
    """Copy what the image of `project` is built from into `target`, whole or not at all. Returns the paths in it.

    Raises `ProjectError` where something is there already.
    """
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise ProjectError(f"{target} is there already, and nothing is overwritten", hint="Name a new folder.")
    if target.resolve().is_relative_to(project.resolve()):
        raise ProjectError(
            f"{target} lies in the project, and would be a part of it",
            hint="Name a folder beside it, such as ../image.",
        )
    files = project_context.read(project).context
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=target.parent))
        try:
            for path, file in files.items():
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, draft / path)
            draft.chmod(0o755)
            draft.rename(target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    return list(files)
