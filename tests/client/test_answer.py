"""Where answered files go, and under which names."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdacap.cli.destination import settle
from lambdacap.client.answer import Answer, Places, suffix
from lambdacap.client.source import File
from lambdacap.errors import InputError, StorageError
from tests.client.models import described
from tests.image.serving import predictors

PNG = Answer(file=File("x", b"png", "image/png"))


@pytest.mark.parametrize(
    ("media_type", "ending"),
    [
        ("image/png", ".png"),
        ("image/jpeg", ".jpg"),
        ("image/webp", ".webp"),
        ("audio/wav", ".wav"),
        ("application/pdf", ".pdf"),
        ("text/csv; charset=utf-8", ".csv"),
        ("application/octet-stream", ".bin"),
        ("../../etc/passwd", ".bin"),
        ("", ".bin"),
    ],
)
def test_suffixes(media_type: str, ending: str) -> None:
    assert suffix(media_type) == ending


def test_files_are_named_after_their_inputs(tmp_path: Path) -> None:
    inputs = [Path("a/dog.jpg"), Path("b/dog.jpg"), Path("b/Dog.png"), Path("-"), Path("we\x1bird\n.x"), Path("..")]
    places = Places(tmp_path / "out", inputs, overwrite=False)
    names = [(kept.saved or Path()).name for number in range(6) if (kept := places.keep(number, PNG))]
    assert names == ["dog.png", "dog-2.png", "Dog-3.png", "answer.png", "we_ird_.png", "answer-2.png"]
    assert (tmp_path / "out" / "dog.png").read_bytes() == b"png"
    with pytest.raises(InputError, match=r"dog.png is there already"):
        places.keep(0, PNG)
    with pytest.raises(InputError, match=r"dog.png is there already"):
        places.check(".png")
    Places(tmp_path / "out", inputs, overwrite=True).keep(0, PNG)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="is no folder"):
        Places(tmp_path / "file", [], overwrite=False)
    with pytest.raises(StorageError, match="cannot be written"):
        Places(tmp_path / "file" / "below", [Path("x")], overwrite=False).keep(0, PNG)
    assert Places(tmp_path, [Path("x")], overwrite=False).keep(0, Answer(5)) == Answer(5)


def test_a_device_takes_it() -> None:
    assert PNG.kept(Path("/dev/null"), overwrite=False).saved == Path("/dev/null")


def test_what_is_settled_before_anything_is_sent(tmp_path: Path) -> None:
    sepia, values = described(predictors.sepia), described(predictors.values)
    (tmp_path / "there.png").touch()
    (tmp_path / "in.png").touch()
    two = [tmp_path / "in.png", tmp_path / "other.png"]
    for output, paths, said in (
        (None, two, "the answers are files (image/png"),
        (tmp_path / "there.png", two[:1], "there.png is there already"),
        (tmp_path / "in.png", two[:1], "the answer would overwrite it"),
        (tmp_path / "no" / "x.png", two[:1], "there is no folder"),
        (tmp_path, two, "in.png is there already"),
    ):
        with pytest.raises(InputError) as told:
            settle(sepia, output, paths, overwrite=False, as_json=False)
        assert said in told.value.message
    assert settle(sepia, tmp_path / "x.jpg", two[:1], overwrite=False, as_json=False).accept == "image/jpeg"
    assert settle(sepia, None, two, overwrite=False, as_json=True).lines is None
    assert settle(sepia, tmp_path / "x.jsonl", two, overwrite=False, as_json=False).lines == tmp_path / "x.jsonl"
    assert settle(values, tmp_path / "x.txt", [], overwrite=False, as_json=False).lines == tmp_path / "x.txt"
