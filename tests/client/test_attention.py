"""Figures of where the model looked: what light falls where, into which file, onto which terminal."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import subprocess
import termios
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from lambdacap.client import attention
from lambdacap.client.attention import Panel
from lambdacap.client.photo import Photo, prepare
from lambdacap.errors import CallError, PhotoError
from tests.command import Command

GREY = (120, 120, 120)
ANSWER = {"words": ["left", "right"], "attention": [[[1.0, 0.0]], [[0.0, 1.0]]]}


def photo(image: Image.Image, **options: object) -> Photo:
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return Photo("dog.png", stream.getvalue(), "image/png")


def brightness(image: Image.Image, x: float, y: float = 0.5) -> int:
    """Of the pixel at a share of width and height, 0 to 255."""
    level = image.convert("L").getpixel((int(x * (image.width - 1)), int(y * (image.height - 1))))
    assert isinstance(level, int)
    return level


def test_a_word_lights_what_it_came_from() -> None:
    seen, left, right = attention.panels(photo(Image.new("RGB", (600, 300), GREY)), ANSWER)
    assert [seen.title, left.title, right.title] == ["", "left", "right"]
    assert {brightness(seen.image, x / 10) for x in range(11)} == {GREY[0]}
    across = [brightness(left.image, x / 40) for x in range(41)]
    assert across[0] > GREY[0] > across[-1] + 60
    assert across == sorted(across, reverse=True)
    assert max(a - b for a, b in pairwise(across)) < 20  # smooth, without the grid's edges
    assert [brightness(right.image, x / 40) for x in range(41)] == pytest.approx(across[::-1], abs=3)


def test_attention_to_everything_lights_everything() -> None:
    answer = {"words": ["the"], "attention": [[[0.25, 0.25], [0.25, 0.25]]]}
    _, panel = attention.panels(photo(Image.new("RGB", (300, 300), GREY)), answer)
    assert {brightness(panel.image, x / 9, y / 9) for x in range(10) for y in range(10)} == {brightness(panel.image, 0)}
    assert brightness(panel.image, 0) > GREY[0]


def test_a_narrow_peak_is_as_bright_as_a_wide_one() -> None:
    grid = [[0.0] * 14 for _ in range(14)]
    grid[4][9] = 1.0
    _, panel = attention.panels(photo(Image.new("RGB", (300, 300), GREY)), {"words": ["dot"], "attention": [grid]})
    assert brightness(panel.image, 9.5 / 14, 4.5 / 14) > GREY[0] + 30
    assert brightness(panel.image, 4.5 / 14, 9.5 / 14) < GREY[0] / 2


def test_the_photo_lies_as_the_model_sees_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    (seen, _, _) = attention.panels(photo(Image.new("RGB", (400, 200), GREY), exif=exif.tobytes()), ANSWER)
    assert seen.image.width * 2 == seen.image.height
    (seen, _, _) = attention.panels(photo(Image.new("RGBA", (40, 20), (0, 0, 0, 0))), ANSWER)
    assert brightness(seen.image, 0.5) == 255


def test_an_answer_without_attention() -> None:
    with pytest.raises(CallError, match=r"dog\.png: the answer does not say where the model looked"):
        attention.panels(photo(Image.new("RGB", (4, 4))), {"caption": "a dog", "words": ["a", "dog"]})


def test_a_photo_that_breaks_off() -> None:
    whole = photo(Image.effect_noise((200, 200), 50))
    broken = Photo(whole.name, whole.content[: len(whole.content) // 2], whole.media_type)
    with pytest.raises(PhotoError, match=r"dog\.png is not a picture that can be read"):
        attention.panels(broken, ANSWER)


@pytest.mark.parametrize("count", [1, 2, 7, 14, 51])
@pytest.mark.parametrize("size", [(288, 216), (96, 288)])
def test_a_figure_has_room_for_every_panel(count: int, size: tuple[int, int]) -> None:
    sheet = attention.figure([Panel("w" * 12, Image.new("RGB", size, "red"))] * count)
    colours = {colour: number for number, colour in sheet.getcolors(1 << 20) or []}
    assert colours[255, 0, 0] == count * size[0] * size[1]
    assert 1 / 5 < sheet.width / sheet.height < 5


class TestTargets:
    def test_one_photo(self, tmp_path: Path) -> None:
        assert attention.targets(tmp_path / "out.png", [Path("dog.jpg")]) == [tmp_path / "out.png"]

    def test_several_photos(self, tmp_path: Path) -> None:
        photos = [Path("a/dog.jpg"), Path("b/dog.png"), Path("cat.jpg")]
        names = [path.name for path in attention.targets(tmp_path / "out.jpg", photos)]
        assert names == ["out-dog.jpg", "out-dog-2.jpg", "out-cat.jpg"]

    @pytest.mark.parametrize(
        ("file", "message"), [("out.gif", "out.gif"), ("out", "as .*/out"), ("nowhere/out.png", "no folder .*nowhere")]
    )
    def test_what_cannot_be_written(self, file: str, message: str, tmp_path: Path) -> None:
        with pytest.raises(PhotoError, match=message):
            attention.targets(tmp_path / file, [Path("dog.jpg")])

    def test_photos_are_not_overwritten(self, tmp_path: Path) -> None:
        with pytest.raises(PhotoError, match="would overwrite that photo"):
            attention.targets(tmp_path / "dog.png", [tmp_path / "x" / ".." / "dog.png"])

    def test_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "out.png").mkdir()
        with pytest.raises(PhotoError, match=r"out\.png cannot be written: Is a directory"):
            attention.save(Image.new("RGB", (4, 4)), tmp_path / "out.png")


@pytest.fixture
def dog(tmp_path: Path) -> Path:
    Image.new("RGB", (80, 40), GREY).save(tmp_path / "dog.png")
    return tmp_path / "dog.png"


@pytest.mark.parametrize("suffix", attention.SUFFIXES)
def test_every_kind_of_file_is_written(suffix: str, tmp_path: Path) -> None:
    sheet, file = Image.new("RGB", (40, 20), GREY), tmp_path / f"out{suffix}"
    attention.save(sheet, file)
    if suffix == ".pdf":
        assert file.read_bytes().startswith(b"%PDF")
        return
    with Image.open(file) as written:
        assert written.size == sheet.size


@pytest.mark.slow
@pytest.mark.usefixtures("deployed")
def test_figures_into_files(shared: Command, dog: Path) -> None:
    result = shared("invoke", dog, "--attention", "out.png")
    assert result.stdout == f"{dog.stat().st_size} bytes\n"
    assert "out.png shows where the model looked" in result.stderr
    with Image.open(shared.folder / "out.png") as written:
        assert written.size == attention.figure(attention.panels(prepare(dog), ANSWER)).size
    cat = dog.with_name("cat.png")
    cat.write_bytes(dog.read_bytes())
    shared("invoke", dog, cat, "--attention", "both.png")
    assert sorted(path.name for path in shared.folder.glob("both*")) == ["both-cat.png", "both-dog.png"]
    broken = dog.with_name("broken.jpg")
    Image.effect_noise((200, 200), 50).save(broken)
    broken.write_bytes(broken.read_bytes()[:300])
    assert "cannot be decoded" in shared("invoke", broken, "--attention", "broken.png", code=1).stderr
    shown = shared("invoke", broken, dog, "--attention", "some.png")
    assert ("cannot be decoded" in shown.stderr, shown.stdout.count("bytes")) == (True, 2)
    assert [path.name for path in shared.folder.glob("some*")] == ["some-dog.png"]
    refused = shared("invoke", dog, "--attention", dog, code=1)
    assert "would overwrite that photo" in refused.stderr
    assert dog.read_bytes() == cat.read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("deployed")
def test_figures_on_stdout(shared: Command, dog: Path) -> None:
    said = f"{dog.stat().st_size} bytes"
    arguments = ["invoke", str(dog), "--attention", "-"]
    assert shared(*arguments, "--json").data["attention"] == ANSWER["attention"]
    titles, *picture, caption = shared(*arguments).stdout.splitlines()
    assert titles.split() == ["left", "right"]
    assert 5 <= len(picture) <= 8  # a panel has 20 columns and is half as high as wide; characters are higher than wide
    assert set("".join(picture)) <= set(" ░▒▓█")
    assert caption == said
    terminals: list[tuple[dict[bytes, bytes], str]] = [
        ({}, "▀"),
        ({b"\x1b[c": b"\x1b[?62;4c"}, "\x1bP"),
        ({b"\x1b_G": b"\x1b_Gi=1;OK\x1b\\"}, "\x1b_G"),
    ]
    for replies, mark in terminals:
        shown = on_a_terminal(shared, replies, *arguments)
        assert mark in shown.partition("right")[2], mark
        assert said in shown


def on_a_terminal(command: Command, replies: dict[bytes, bytes], *arguments: str) -> str:
    """What the command writes to a terminal that answers questions with `replies`; "i=…" is taken from the question."""
    ours, theirs = os.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environ = {**command.environment, "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "80"}
    with subprocess.Popen(
        [command.executable, *arguments], cwd=command.folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        written, unanswered = b"", b""
        while chunk := read(ours):
            written += chunk
            unanswered += chunk
            for question, reply in replies.items():
                if question in unanswered:
                    asked = unanswered.partition(question)[2]
                    os.write(ours, reply.replace(b"i=1", asked.partition(b",")[0]) if b"i=" in reply else reply)
                    unanswered = b""
        assert process.wait(timeout=30) == 0, written
    os.close(ours)
    return written.decode()


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # how Linux says that nobody holds the other end any more
        return b""


@pytest.mark.usefixtures("deployed")
def test_a_terminal_that_cannot_be_asked(shared: Command, dog: Path) -> None:
    ours, theirs = os.openpty()
    process = subprocess.run(
        [shared.executable, "invoke", str(dog), "--attention", "-"],
        cwd=shared.folder,
        env=shared.environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 1
    assert "stdin is something else" in process.stderr
