"""Links that lead elsewhere, and names of secrets: never in a context, and told."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lambdacap.errors import SettingsError
from lambdacap.events import Event, Warned
from lambdacap.images.docker_context import content, content_tag, context, context_files, warn_left_out
from lambdacap.local.images import Images

Make = Callable[[dict[str, str]], Path]
SECRETS = (
    *(".env", ".env.production", ".ENV", "prod.env", ".envrc", "app/.env.local", ".git", ".git/config", "x/.git/HEAD"),
    *("key.pem", "deep/er/server.KEY", "id_rsa", "id_ed25519.pub", "deploy_rsa", ".ssh/config", ".aws/credentials"),
    *("credentials", "aws-credentials.json", "credentials.csv", "me_accessKeys.csv", "rootkey.csv", ".netrc", ".npmrc"),
    *(
        ".pypirc",
        ".docker/config.json",
        "client_secret_1.json",
        "service-account-prod.json",
        "terraform.tfstate.backup",
    ),
    *(".bash_history", "secrets.toml", "store.p12", ".kube/config", ".env/bin/python"),
)
KEPT = (
    "handler.py",
    "secrets.py",
    "credentials.py",
    "keys.txt",
    "environment.yml",
    "monkey.py",
    ".dockerignored",
    "envs/a",
)


def told(folder: Path, bundle: Path | None = None) -> str:
    events: list[Event] = []
    warn_left_out(folder, bundle, events.append)
    return "\n".join(event.text for event in events if isinstance(event, Warned))


@pytest.mark.parametrize("path", SECRETS)
def test_a_secret_never_goes_in_and_is_told(path: str, image_folder: Make) -> None:
    folder = image_folder({"handler.py": "", path: "secret"})
    assert path not in context_files(folder)
    with context(folder) as stream, tarfile.open(fileobj=stream) as tar:
        assert all(member.read() != b"secret" for name in tar.getnames() if (member := tar.extractfile(name)))
    assert path in told(folder)


@pytest.mark.parametrize("path", SECRETS[:3])
def test_dockerignore_cannot_take_it_in(path: str, image_folder: Make) -> None:
    folder = image_folder(
        {"handler.py": "", path: "secret", ".dockerignore": f"*\n!{path}\n!handler.py\n!Dockerfile\n"}
    )
    assert path not in context_files(folder)


def test_what_only_looks_like_it_goes_in(image_folder: Make) -> None:
    folder = image_folder(dict.fromkeys(KEPT, ""))
    assert set(KEPT) <= set(context_files(folder))
    assert told(folder) == ""


def test_links_lead_out_of_no_folder(image_folder: Make, tmp_path: Path) -> None:
    folder = image_folder({"handler.py": "x = 1\n", "sub/real.txt": "inside", ".env": "secret"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file.txt").write_text("mine")
    (folder / "absolute.txt").symlink_to(outside / "file.txt")
    (folder / "sub" / "relative.txt").symlink_to(os.path.relpath(outside / "file.txt", folder / "sub"))
    (folder / "chain.txt").symlink_to("absolute.txt")
    (folder / "folder").symlink_to(outside)
    (folder / "innocent.txt").symlink_to(".env")
    (folder / "inside.txt").symlink_to("sub/real.txt")
    (folder / "dangling.txt").symlink_to("nowhere")
    (folder / "circle").symlink_to("circle")
    files = context_files(folder)
    assert {"inside.txt", "sub/real.txt", "handler.py"} <= set(files)
    assert not {"absolute.txt", "sub/relative.txt", "chain.txt", "innocent.txt", "folder", "circle"} & set(files)
    words = told(folder)
    assert "leads out of the folder" in words
    assert "7 more" in words or words.count("(") >= 5
    (outside / "file.txt").write_text("changed")
    tag = content_tag(folder, "x86_64")
    Images(tmp_path).add("name", tag, folder)
    copied = {path.name for path in Images(tmp_path).path("name", tag).rglob("*")}
    assert "inside.txt" in copied
    assert not {"absolute.txt", "chain.txt", "innocent.txt", ".env"} & copied


def test_a_bundles_links_are_not_followed_either(image_folder: Make, tmp_path: Path) -> None:
    folder, bundle = image_folder({"handler.py": ""}), tmp_path / "bundle"
    bundle.mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    (bundle / "model.json").write_text("{}")
    (bundle / "weights.safetensors").symlink_to(tmp_path / "mine.txt")
    (bundle / ".env").write_text("secret")
    files = content(folder, bundle)
    assert "model/model.json" in files
    assert not {"model/weights.safetensors", "model/.env"} & set(files)
    assert "weights.safetensors" in told(folder, bundle)


def test_a_dockerfile_from_elsewhere_is_refused(image_folder: Make, tmp_path: Path) -> None:
    folder = image_folder({"handler.py": ""})
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (folder / "Dockerfile").unlink()
    (folder / "Dockerfile").symlink_to(tmp_path / "Dockerfile")
    with pytest.raises(SettingsError, match="leads out of the folder"):
        context_files(folder)


def test_a_dockerignore_that_is_no_text(image_folder: Make) -> None:
    folder = image_folder({"handler.py": ""})
    (folder / ".dockerignore").write_bytes(b"\xff\xfe*.txt\n")
    assert "handler.py" in context_files(folder)
