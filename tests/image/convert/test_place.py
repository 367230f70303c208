"""What `-o` may replace, and that it is never gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from captioner.bundle import Bundle
from convert.errors import ConvertError
from convert.place import check, place

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "image" / "demo" / "bundle"
WORDS = ["<pad>", "a", "<unk>", "<start>", "<end>"]


def bundle(folder: Path, name: str = "old") -> Path:
    """A bundle of the right files, which are not looked into here."""
    folder.mkdir(parents=True)
    image = {"width": 8, "height": 8, "resample": "bicubic", "mean": [0, 0, 0], "std": [1, 1, 1]}
    manifest = {"format": 1, "name": name, "image": image, "attention_grid": [1, 1]}
    (folder / "model.json").write_text(json.dumps(manifest))
    (folder / "vocabulary.json").write_text(json.dumps(WORDS))
    for file in ("encoder.onnx", "encoder.onnx.data", "decoder.onnx", "decoder.onnx.data"):
        (folder / file).write_text(name)
    return folder


def everything(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def test_a_new_an_empty_and_a_bundles_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    bundle(tmp_path / "old")
    for name in ("new", "empty", "old"):
        check(tmp_path / name)
        place(bundle(tmp_path / "draft", "new"), tmp_path / name)
        assert Bundle.load(tmp_path / name).name == "new"
        shutil.rmtree(tmp_path / "draft", ignore_errors=True)


def test_the_shipped_bundle_is_one(tmp_path: Path) -> None:
    check(shutil.copytree(DEMO, tmp_path / "demo"))


def spoil(folder: Path, how: str) -> None:
    """Makes a folder that is not only a bundle."""
    match how:
        case "a manifest alone":
            folder.mkdir()
            (folder / "model.json").write_text('{"format": 1}')
        case "somebody else's model.json":
            folder.mkdir()
            (folder / "model.json").write_text('{"format": "layers-model", "modelTopology": {}}')
            (folder / "thesis.txt").write_text("mine")
        case "a manifest that is a folder":
            (folder / "model.json").mkdir(parents=True)
        case "a manifest without an end":
            bundle(folder)
            (folder / "model.json").write_text("[" * 100_000)
        case "a file beside":
            (bundle(folder) / "thesis.txt").write_text("mine")
        case "a hidden file beside":
            (bundle(folder) / ".env").write_text("mine")
        case "a folder beside":
            (bundle(folder) / "photos").mkdir()
            (folder / "photos" / "one.jpg").write_text("mine")
        case "a folder under a bundle's name":
            (bundle(folder) / "weights.safetensors").mkdir()
        case "a link out of it":
            (folder.parent / "mine.txt").write_text("mine")
            (bundle(folder) / "weights.safetensors").symlink_to(folder.parent / "mine.txt")
        case "another format":
            bundle(folder)
            manifest = json.loads((folder / "model.json").read_text())
            (folder / "model.json").write_text(json.dumps({**manifest, "format": 2}))
        case "a file":
            folder.write_text("mine")
        case "a link to nothing":
            folder.symlink_to(folder.parent / "nowhere")


@pytest.mark.parametrize(
    "how",
    [
        "a manifest alone",
        "somebody else's model.json",
        "a manifest that is a folder",
        "a manifest without an end",
        "a file beside",
        "a hidden file beside",
        "a folder beside",
        "a folder under a bundle's name",
        "a link out of it",
        "another format",
        "a file",
        "a link to nothing",
    ],
)
def test_what_is_more_or_less_than_a_bundle_is_left_alone(how: str, tmp_path: Path) -> None:
    spoil(tmp_path / "there", how)
    draft = bundle(tmp_path / "draft", "new")
    before = everything(tmp_path)
    with pytest.raises(ConvertError, match="there") as refused:
        place(draft, tmp_path / "there")
    assert "-o" in refused.value.hint
    assert everything(tmp_path) == before


def test_there_is_a_whole_bundle_at_every_moment(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "bundle", "0")
    failures, rounds, done = [], 200, threading.Event()

    def look() -> None:
        while not done.is_set():
            try:
                Bundle.load(folder)
            except Exception as error:  # noqa: BLE001 - whatever it is, there was no bundle
                failures.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    for turn in range(1, rounds):
        draft = bundle(tmp_path / f"draft{turn}", str(turn))
        place(draft, folder)
    done.set()
    reader.join()
    assert not failures
    assert Bundle.load(folder).name == str(rounds - 1)
    assert Bundle.load(tmp_path / "draft5").name == "4"  # what was there before


@pytest.mark.parametrize("calls", range(1, 40, 3))
def test_killed_at_any_step_it_is_the_old_or_the_new(calls: int, tmp_path: Path) -> None:
    bundle(tmp_path / "bundle", "old")
    bundle(tmp_path / "draft", "new")
    # Audit events and fsync are where the file system is touched; the process is gone at the n-th.
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from convert.place import place\n"
        "left = int(sys.argv[1])\n"
        "def hook(event, _):\n"
        "    global left\n"
        "    left -= event in ('open', 'os.rename', 'os.scandir', 'os.listdir', 'ctypes.call_function')\n"
        "    if left <= 0: os._exit(9)\n"
        "sys.addaudithook(hook)\n"
        "place(Path('draft'), Path('bundle'))\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(calls)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "image")},
        check=False,
    )
    names = [Bundle.load(tmp_path / name).name for name in ("bundle", "draft")]
    assert sorted(names) == ["new", "old"]
