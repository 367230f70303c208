"""`lambdacap invoke` on deployed models of several kinds, and what it makes of strangers' answers."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.client.test_http import description
from tests.command import Command
from tests.conftest import without_engine
from tests.predictors import standing
from tests.servers import Answer, serving
from tests.test_invoke import lines, pointing

PICTURES = '''
"""Turns a photo around."""
from PIL import Image, ImageOps

def predict(photo: Image.Image, times: int = 1) -> Image.Image:
    return photo.rotate(180 * times)
'''
RECORDS = '''
"""Labels rows."""
from dataclasses import dataclass
from typing import Annotated, Literal
from msgspec import Meta

@dataclass
class Row:
    name: str
    size: float = 0.0

def predict(rows: list[Row], top: Annotated[int, "how many", Meta(ge=1, le=10)] = 3, unit: Literal["cm", "in"] = "cm"):
    if top == 7:
        raise ValueError("seven is not for \\x1b[31mme")
    return [{"label": row.name, "score": row.size, "unit": unit} for row in rows][:top]
'''
TEXT = '''
"""Says it again."""

def predict(words: str, times: int = 1) -> str:
    return words * times
'''
ANYTHING = '''
"""A file of whatever kind."""
from pathlib import Path
from typing import Any

def predict(document: Path, kind: str = "data") -> Any:
    content = document.read_bytes()
    return content if kind == "bytes" else {"suffix": document.suffix, "size": len(content), "truncated": kind == "cut"}
'''


@pytest.fixture(scope="module")
def deployments(cloud_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Command]]:
    """The command on a predictor, which is deployed when the first test asks for it."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        stack.enter_context(without_engine())
        made: dict[str, Command] = {}

        def command(predictor: str, auth: str = "none") -> Command:
            if predictor not in made:
                folder = tmp_path_factory.mktemp("model")
                name = f"model-{len(made)}"
                made[predictor], _ = stack.enter_context(standing(name, predictor, cloud_home, folder, auth))
            return made[predictor]

        yield command


def picture(command: Command, name: str) -> str:
    """A photo with a red corner at its top left."""
    image = Image.new("RGB", (40, 30), "white")
    image.paste("red", (0, 0, 10, 10))
    image.save(command.folder / name)
    return name


def is_red(image: Image.Image, x: int, y: int) -> bool:
    red, green, blue = image.convert("RGB").crop((x, y, x + 1, y + 1)).tobytes()
    return red > 240 and green < 20 and blue < 20


def test_a_picture_for_a_picture(deployments: Callable[..., Command]) -> None:
    command = deployments(PICTURES, "key")
    photo = picture(command, "dog.png")
    done = command("invoke", photo, "-o", "out.jpg")
    assert done.stdout == "out.jpg\n"
    with Image.open(command.folder / "out.jpg") as seen:
        assert (seen.format, is_red(seen, 35, 25)) == ("JPEG", True)
    assert "error: out.jpg is there already" in command("invoke", photo, "-o", "out.jpg", code=1).stderr
    told = command("invoke", photo, "-o", "out.gif", "-i", "times=2", "--json")
    assert told.data == {"input": "dog.png", "file": "out.gif", "media_type": "image/png"}
    assert "out.gif holds image/png, whatever its name says" in told.stderr
    again = command("invoke", photo, "-o", "out.jpg", "--overwrite", "-i", "times=2")
    with Image.open(command.folder / "out.jpg") as seen:
        assert is_red(seen, 5, 5)
    assert again.stderr == ""
    url = command("invoke", photo, "--json").data["answer"]
    assert url.startswith("data:image/png;base64,")


def piped(
    command: Command, *arguments: str, stdin: bytes = b"", stdout: int = subprocess.PIPE
) -> tuple[int, bytes, str]:
    done = subprocess.run(
        [command.executable, *arguments],
        cwd=command.folder, env=command.environment, input=stdin, stdout=stdout, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr.decode()


def test_a_picture_on_stdout(deployments: Callable[..., Command]) -> None:
    command = deployments(PICTURES, "key")
    photo = picture(command, "stdout.png")
    code, content, told = piped(command, "invoke", photo)
    assert (code, told) == (0, "")
    assert Image.open(io.BytesIO(content)).size == (40, 30)
    code, content, _ = piped(command, "invoke", "-", stdin=(command.folder / photo).read_bytes())
    assert Image.open(io.BytesIO(content)).size == (40, 30)
    leader, follower = pty.openpty()
    code, _, told = piped(command, "invoke", photo, stdout=follower)
    os.close(follower)
    os.close(leader)
    assert code == 1
    assert told.startswith("error: the answer is a file, and this is a terminal (image/png, image/jpeg, image/webp)")
    assert "--output FILE" in told


def test_many_pictures(deployments: Callable[..., Command]) -> None:
    command = deployments(PICTURES, "key")
    (command.folder / "in").mkdir()
    for name in ("in/a.png", "in/b.png"):
        picture(command, name)
    (command.folder / "in" / "c.png").write_bytes(b"no picture")
    assert "the answers are files" in command("invoke", "in", code=1).stderr
    first = command("invoke", "in", "-o", "all.jsonl", code=1)
    assert first.stdout == "in/a.png: all.files/a.png\nin/b.png: all.files/b.png\n"
    assert "1 of 3 inputs got no answer" in first.stderr
    kept = lines((command.folder / "all.jsonl").read_text("utf-8"))
    assert {line["input"]: line.get("file") for line in kept} == {
        "in/a.png": "all.files/a.png",
        "in/b.png": "all.files/b.png",
        "in/c.png": None,
    }
    picture(command, "in/c.png")
    second = command("invoke", "in", "-o", "all.jsonl")
    assert second.stdout == "in/c.png: all.files/c.png\n"
    assert "2 of 3 inputs are answered in all.jsonl already" in second.stderr
    folder = command("invoke", "in", "-o", "folder")
    assert folder.stdout.splitlines()[0] == "in/a.png: folder/a.png"
    assert sorted(path.name for path in (command.folder / "folder").iterdir()) == ["a.png", "b.png", "c.png"]


def test_records(deployments: Callable[..., Command]) -> None:
    command = deployments(RECORDS)
    (command.folder / "rows.json").write_text('[{"name": "a", "size": 1.5}, {"name": "[b]\\u001b[2J"}]', "utf-8")
    table = command("invoke", "rows.json", "-i", "unit=in").stdout
    assert table == "label       score  unit\na           1.5    in\n[b]\\x1b[2J  0.0    in\n"
    assert command("invoke", "rows.json", "-i", "top=1", "--json").data == {
        "input": "rows.json",
        "answer": [{"label": "a", "score": 1.5, "unit": "cm"}],
    }
    assert command("invoke", "-i", 'rows={"name": "a"}').stdout == "label  score  unit\na      0.0    cm\n"
    many = command("invoke", "rows.json", "rows.json", "-i", "top=1")
    assert many.stdout == 'rows.json: [{"label": "a", "score": 1.5, "unit": "cm"}]\n' * 2
    assert "2 of 2 inputs answered in" in many.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rows.json", "-i", "unit=feet"], "unit: expected one of cm, in"),
        (["rows.json", "-i", "top=11"], "top: expected a whole number from 1 to 10, got 11"),
        (["rows.json", "-i", "tpo=1"], "tpo is unknown; did you mean top?"),
        (["-i", "top=1"], "rows is missing: give it by FILE"),
        (["-i", 'rows=[{"nme": "a"}]'], "rows[0].name is missing"),
        (["-i", "rows=@no.json"], "there is no file no.json"),
        (["rows.json", "--beam", "5"], "--beam is for captioners: this model has no input beam"),
        (["rows.json", "--attention", "x.png"], "--attention is for captioners: this model has no input attention"),
        (["rows.json", "-i", "top=7"], "rows.json: seven is not for \\x1b[31mme"),
        (["photo.png"], "photo.png is no text in UTF-8, which rows takes"),
    ],
)
def test_what_is_wrong_is_one_sentence(deployments: Callable[..., Command], arguments: list[str], said: str) -> None:
    command = deployments(RECORDS)
    (command.folder / "rows.json").write_text('[{"name": "a"}]', "utf-8")
    picture(command, "photo.png")
    told = command("invoke", *arguments, code=1)
    assert told.stderr.splitlines()[0] == f"error: {said}"
    assert len(told.stderr.splitlines()) <= 2
    assert told.stdout == ""


def test_text(deployments: Callable[..., Command]) -> None:
    command = deployments(TEXT)
    assert command("invoke", "-i", "words=grün ", "-i", "times=2").stdout == "grün grün \n"
    (command.folder / "a.txt").write_text("line\nline", "utf-8")
    assert command("invoke", "a.txt").stdout == "line\nline\n"
    assert (
        piped(command, "invoke", "-", "--json", stdin=b"caf\xc3\xa9")[1]
        == json.dumps({"input": "-", "answer": "café"}, indent=2).encode() + b"\n"
    )
    assert command("invoke", "-i", "words=\x1b]0;owned\x07").stdout == "\\x1b]0;owned\\x07\n"
    kept = command("invoke", "a.txt", "-o", "kept.jsonl")
    assert kept.stdout == "a.txt: line\\nline\n"
    assert command("invoke", "a.txt", "-o", "kept.jsonl").stdout == ""


def test_any_file(deployments: Callable[..., Command]) -> None:
    command = deployments(ANYTHING)
    (command.folder / "a.json").write_bytes(b"{}")
    assert command("invoke", "a.json").stdout == '{\n  "suffix": ".json",\n  "size": 2,\n  "truncated": false\n}\n'
    assert piped(command, "invoke", "a.json", "-i", "kind=bytes")[:2] == (0, b"{}")
    kept = command("invoke", "a.json", "a.json", "-i", "kind=bytes", "-o", "x.jsonl")
    assert kept.stdout == "a.json: x.files/a.bin\na.json: x.files/a-2.bin\n"
    without = command("invoke", "a.json", "a.json", "-i", "kind=bytes", code=1)
    assert "error: the answer to a.json is a file" in without.stderr
    cut = command("invoke", "a.json", "-i", "kind=cut")
    assert "! a.json breaks off: the answer is to what there is of the picture" in cut.stderr
    assert command("invoke", "a.json", "-i", "kind=cut", "--json").stderr == ""


def test_a_photo_that_breaks_off_is_told_of(lambdacap: Command) -> None:
    noise = Image.effect_noise((300, 200), 50).convert("RGB")
    stream = io.BytesIO()
    noise.save(stream, "JPEG", quality=90)
    (lambdacap.folder / "cut.jpg").write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    answer = Answer(body=b'{"caption": "a dog", "truncated": true}')
    with serving(answer) as server:
        command = pointing(lambdacap, server)
        one = command("invoke", "cut.jpg")
        assert (one.stdout, one.stderr) == (
            "a dog\n",
            "! cut.jpg breaks off: the answer is to what there is of the picture\n",
        )
        two = command("invoke", "cut.jpg", "cut.jpg")
        assert two.stderr.count("! cut.jpg breaks off") == 2
        assert command("invoke", "cut.jpg", "--json").data["truncated"] is True


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b'{"words": ["a"]}'),
        Answer(body=b"[]"),
        Answer(body=b'"\\u001b[31m"'),
        Answer(body=b"\x1b[31mred", media_type="text/plain"),
        Answer(body=b'[{"a\\u001b": "\\u001b"}]'),
        Answer(body=b'{"caption": {"deep": 1}}'),
    ],
)
def test_no_answer_is_obeyed(answer: Answer, lambdacap: Command) -> None:
    Image.new("RGB", (8, 8)).save(lambdacap.folder / "a.png")
    with serving(answer) as server:
        for arguments in (["a.png"], ["a.png", "a.png"]):
            told = pointing(lambdacap, server)("invoke", *arguments)
            assert "\x1b" not in told.stdout + told.stderr
            assert told.stdout


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b'{"openapi": "3.1.0"}', "describes no prediction at POST /"),
        (description().replace(b'"integer"', b'"\\u001b[31m"'), "describes count in a way that cannot be followed"),
        (description().replace(b'{"type": "integer"}', b"[1]"), "count: expected"),
    ],
)
def test_descriptions_of_strangers(document: bytes, said: str, lambdacap: Command) -> None:
    with serving(Answer(), description=Answer(body=document)) as server:
        told = pointing(lambdacap, server)("invoke", "-i", "count=x", code=None)
    assert told.code in (0, 1)
    assert told.code == 0 or said in told.stderr
    assert "\x1b" not in told.stderr
    assert "defect" not in told.stderr
