"""`lambdacap invoke` with many photos, against a real server and the local cloud."""

from __future__ import annotations

import json
import os
import pty
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lambdacap.deployment.record import Deployment, Records
from tests.command import Command
from tests.servers import Answer, Server, serving

Photos = Callable[[int], list[Path]]


@pytest.fixture
def photos(lambdacap: Command) -> Photos:
    """Makes so many photos in a folder, each of another size."""

    def make(count: int) -> list[Path]:
        folder = lambdacap.folder / "photos"
        folder.mkdir(exist_ok=True)
        paths = [folder / f"{number:02}.png" for number in range(count)]
        for number, path in enumerate(paths):
            Image.new("RGB", (8 + number, 8), (200, 10, 10)).save(path)
        return [path.relative_to(lambdacap.folder) for path in paths]

    return make


def caption(text: str, delay: float = 0.0) -> Answer:
    return Answer(body=json.dumps({"caption": text}).encode(), delay=delay)


def refusal(status: int, message: str) -> Answer:
    return Answer(status, json.dumps({"error": {"code": "refused", "message": message}}).encode())


def pointing(lambdacap: Command, server: Server) -> Command:
    """The command with a deployment that answers at `server`."""
    api = {"id": "x", "url": server.url}
    Records(lambdacap.home).save(Deployment("lambdacap", "local", "0", "us-east-1", resources={"api": api}))
    return lambdacap


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_folder_in_order_whatever_comes_first(lambdacap: Command, photos: Photos) -> None:
    paths = photos(4)
    with serving(caption("first", delay=1), caption("others")) as server:
        result = pointing(lambdacap, server)("invoke", "photos", "--concurrency", 3, "-o", "out.jsonl")
    assert [line.partition(":")[0] for line in result.stdout.splitlines()] == [str(path) for path in paths]
    assert sorted(asked.body for asked in server.asked) == sorted(
        (lambdacap.folder / path).read_bytes() for path in paths
    )
    # In the file as they came: the one that took a second is the last.
    kept = lines((lambdacap.folder / "out.jsonl").read_text("utf-8"))
    assert sorted(answer["photo"] for answer in kept) == [str(path) for path in paths]
    assert [answer["caption"] for answer in kept] == ["others"] * 3 + ["first"]
    assert result.stderr.startswith("4 of 4 photos captioned in ")


def test_as_json_lines(lambdacap: Command, photos: Photos) -> None:
    paths = photos(2)
    with serving(caption("a dog")) as server:
        result = pointing(lambdacap, server)("invoke", *paths, "--json")
    assert lines(result.stdout) == [{"photo": str(path), "caption": "a dog"} for path in paths]


def test_one_bad_photo_stops_no_other(lambdacap: Command, photos: Photos) -> None:
    one, two = photos(2)
    (lambdacap.folder / "text.jpg").write_text("no picture", "utf-8")
    with serving(caption("a dog"), refusal(400, "this is a cat")) as server:
        result = pointing(lambdacap, server)(
            "invoke", "gone.jpg", "text.jpg", one, two, "--concurrency", 1, "-o", "out.jsonl", code=1
        )
    assert result.stdout == f"{one}: a dog\n"
    assert "✗ photo        failed   there is no file gone.jpg\n" in result.stderr
    assert "text.jpg is not a picture" in result.stderr
    assert f"{two}: this is a cat\n" in result.stderr
    assert "error: 3 of 4 photos got no caption\nhint:  The same command tries them again" in result.stderr
    kept = lines((lambdacap.folder / "out.jsonl").read_text("utf-8"))
    assert [answer["photo"] for answer in kept] == ["gone.jpg", "text.jpg", str(one), str(two)]
    assert kept[3]["error"] == {
        "message": "02.png: this is a cat".replace("02", "01"),
        "status": 400,
        "code": "refused",
    }


def test_the_next_run_goes_on_where_the_last_one_was(lambdacap: Command, photos: Photos) -> None:
    one, two, three = photos(3)
    output = lambdacap.folder / "out.jsonl"
    arguments = ("invoke", "photos", "--concurrency", 1, "-o", output.name)
    with serving(caption("a dog"), refusal(400, "not now"), caption("a cow")) as server:
        pointing(lambdacap, server)(*arguments, code=1)
    # As a crash leaves it that comes while a line is written.
    output.write_text(output.read_text("utf-8") + '{"photo": "pho', "utf-8")
    with serving(caption("a cat")) as server:
        result = pointing(lambdacap, server)(*arguments)
        assert len(server.asked) == 1
        assert result.stdout == f"{two}: a cat\n"
        assert "2 of 3 photos are answered in out.jsonl already" in result.stderr
        again = lambdacap(*arguments)
        assert (again.stdout, len(server.asked)) == ("", 1)
    kept = {answer["photo"]: answer["caption"] for answer in lines(output.read_text("utf-8"))}
    assert kept == {str(one): "a dog", str(two): "a cat", str(three): "a cow"}


@pytest.mark.parametrize("content", [b"my notes\n", b'{"a": 1}\n', b"[1]\n", b"\xff\xd8\xff", b'{"photo": 1}\n', b"x"])
def test_a_file_that_holds_something_else_is_left_alone(content: bytes, lambdacap: Command, photos: Photos) -> None:
    path = lambdacap.folder / "notes"
    path.write_bytes(content)
    with serving(caption("a dog")) as server:
        result = pointing(lambdacap, server)("invoke", *photos(1), "-o", "notes", code=1)
    assert "notes holds something else than answers (line 1)" in result.stderr
    assert path.read_bytes() == content
    assert server.asked == []


def test_an_output_that_cannot_be_written(lambdacap: Command, photos: Photos) -> None:
    with serving(caption("a dog")) as server:
        result = pointing(lambdacap, server)("invoke", *photos(1), "-o", "no/such/folder", code=1)
    assert "error: no/such/folder cannot be written: No such file or directory" in result.stderr


@pytest.mark.parametrize("status", [429, 503, 504])
def test_busy_is_tried_again(status: int, lambdacap: Command, photos: Photos) -> None:
    busy = Answer(status, b'{"message": "busy"}')
    with serving(busy, busy, caption("a dog")) as server:
        result = pointing(lambdacap, server)("invoke", *photos(2), "--concurrency", 2)
    assert result.stdout.count(": a dog\n") == 2
    assert len(server.asked) == 4


def test_what_all_would_be_answered_ends_the_run(lambdacap: Command, photos: Photos) -> None:
    with serving(Answer(403, b'{"message": "Forbidden"}')) as server:
        result = pointing(lambdacap, server)("invoke", *photos(5), "--concurrency", 1, code=1)
    assert len(server.asked) <= 2  # the second may be under way before the first is looked at
    assert "403 Forbidden" in result.stderr
    nobody = lambdacap("invoke", *photos(5), code=1)
    assert "the local cloud does not answer" in nobody.stderr
    assert nobody.stderr.count("error:") == 1


def test_ctrl_c_leaves_what_was_answered(lambdacap: Command, photos: Photos) -> None:
    paths = photos(6)
    output = lambdacap.folder / "out.jsonl"
    with serving(caption("a dog"), caption("a dog"), caption("late", delay=60)) as server:
        with pointing(lambdacap, server).start("invoke", "photos", "--concurrency", 2, "-o", output.name) as process:
            deadline = time.monotonic() + 30
            while len(server.asked) < 4:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            interrupted = time.monotonic()
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=30)
        assert time.monotonic() - interrupted < 10  # the calls under way are not waited for
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert stdout.count(": a dog\n") == 2
    assert [answer["caption"] for answer in lines(output.read_text("utf-8"))] == ["a dog"] * 2
    with serving(caption("a cat")) as server:
        pointing(lambdacap, server)("invoke", "photos", "-o", output.name)
        assert len(server.asked) == 4
    assert sorted(answer["photo"] for answer in lines(output.read_text("utf-8"))) == [str(path) for path in paths]


def test_names_that_are_no_text(lambdacap: Command, photos: Photos) -> None:
    path = os.fsencode(lambdacap.folder / photos(1)[0])
    os.rename(path, path.replace(b"00", b"\xff"))  # noqa: PTH104 - bytes
    with serving(caption("a dog")) as server:
        for _ in range(2):
            result = pointing(lambdacap, server)("invoke", "photos", "-o", "out.jsonl")
    assert len(server.asked) == 1
    assert "1 of 1 photos are answered" in result.stderr


def test_a_bar_on_a_terminal(lambdacap: Command, photos: Photos) -> None:
    leader, follower = pty.openpty()
    with serving(caption("a dog")) as server:
        command = pointing(Command(lambdacap.folder, lambdacap.home, {"TERM": "xterm", "COLUMNS": "100"}), server)
        with command.start("invoke", *photos(3), stderr=follower) as process:
            stdout, _ = process.communicate(timeout=60)
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    assert stdout.count(": a dog\n") == 3
    assert "0/3" in shown
    assert "3/3" in shown
    assert "a dog" not in shown


@pytest.mark.slow
@pytest.mark.usefixtures("no_engine")
def test_many_at_a_time_through_the_local_cloud(shared: Command, photos: Photos) -> None:
    paths = photos(24)
    shared("deploy", "--local")
    answers = lines(shared("invoke", "photos", "--concurrency", 16, "--json").stdout)
    sizes = [(shared.folder / path).stat().st_size for path in paths]
    assert [answer["caption"] for answer in answers] == [f"{size} bytes" for size in sizes]
    shared("teardown", "--yes")
