"""`lambdacap model` on the command line, with a small model of the published format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lambdacap.errors import ModelError
from lambdacap.events import Event, Finished, Progress, silent
from lambdacap.model import bundle, convert
from tests import processes
from tests.command import Command
from tests.published import files


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return files.make("small", tmp_path_factory.mktemp("published") / "model.pickle")


def test_a_model_is_converted_once(published: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    folder = convert.convert_once(published, tmp_path, convert.Conversion(), events.append)
    found = bundle.inspect(folder)
    assert bundle.parity_sentence(found.manifest).startswith("32 of 32 captions (100%)")
    assert found.size > 1e7
    assert any(isinstance(event, Progress) and "32 of 32" in event.text for event in events)
    events.clear()
    assert convert.convert_once(published, tmp_path, convert.Conversion(), events.append) == folder
    assert [event.action for event in events if isinstance(event, Finished)] == ["kept"]
    assert convert.bundle_folder(published, tmp_path, convert.Conversion(quantize="int8")) != folder


def test_the_converters_complaint_is_ours(tmp_path: Path) -> None:
    file = tmp_path / "model.pickle"
    file.write_bytes(b"\x80\x04cos\nsystem\n(X\x04\x00\x00\x00truetR.")
    with pytest.raises(ModelError, match=r"refused: it asks for os\.system") as failed:
        convert.convert(file, tmp_path / "bundle", convert.Conversion(), silent)
    assert failed.value.hint
    assert not (tmp_path / "bundle").exists()


def test_a_converter_that_hangs_is_ended(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "LIMIT", 0.3)
    with (
        processes.nothing_stays_open(),
        pytest.raises(ModelError, match="the converter was ended after 0 minutes") as failed,
    ):
        convert.convert(published, tmp_path / "bundle", convert.Conversion(), silent)
    assert failed.value.hint
    assert not (tmp_path / "bundle").exists()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "NEEDED", ("json", "no_such_library"))
    with pytest.raises(ModelError, match="not installed: no_such_library") as failed:
        convert.check_extra()
    assert "pip install 'lambdacap[model]'" in failed.value.hint


def test_inspect_shows_what_a_bundle_is(lambdacap: Command, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    image = {"width": 256, "height": 192}
    manifest = {"format": 1, "name": "tiny", "image": image}
    (tmp_path / "bundle" / "model.json").write_text(json.dumps(manifest))
    shown = lambdacap("model", "inspect", str(tmp_path / "bundle"))
    assert "256 × 192 pixels" in shown.stdout
    assert json.loads(lambdacap("model", "inspect", str(tmp_path / "bundle"), "--json").stdout)["name"] == "tiny"
