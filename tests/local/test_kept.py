"""What the local cloud keeps: closed to others, of bounded size, and gone without what is somebody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from lambdacap.deployment.lock import held, holder
from lambdacap.errors import LocalCloudError
from lambdacap.events import silent
from lambdacap.local import cloud, kept, secret
from lambdacap.local.images import Images
from lambdacap.local.log_stream import LogStream
from lambdacap.local.note import Cloud, read_cloud, write_cloud
from tests.command import Command


class TestImages:
    @pytest.mark.parametrize("tag", ["", ".", "..", "../../x", "/etc", "a/b", "a\n", "-a", "a" * 129, "ä", "a\0"])
    def test_only_what_a_tag_looks_like_is_one(self, tag: str, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="is no image tag"):
            Images(tmp_path).path("name", tag)

    @pytest.mark.parametrize("name", ["", "..", "../x", "/etc", "a/b", "a" * 65])
    def test_nor_is_any_path_a_function(self, name: str, tmp_path: Path) -> None:
        for ask in (lambda: Images(tmp_path).path(name, "tag"), lambda: Images(tmp_path).remove(name)):
            with pytest.raises(ValueError, match="is no function name"):
                ask()


class TestDeleting:
    def test_what_others_put_there_stays(self, tmp_path: Path) -> None:
        secret.make(tmp_path)
        Images(tmp_path).folder.joinpath("name").mkdir(parents=True)
        (tmp_path / "local" / "holiday.jpg").write_bytes(b"mine")
        cloud.discard(tmp_path, silent)
        assert [path.name for path in (tmp_path / "local").iterdir()] == ["holiday.jpg"]

    def test_a_home_that_was_there_stays(self, tmp_path: Path) -> None:
        secret.make(tmp_path)
        cloud.discard(tmp_path, silent)
        assert list(tmp_path.iterdir()) == []

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "photo.jpg").write_bytes(b"mine")
        home = tmp_path / "home"
        secret.make(home)
        kept.mark_made(home)
        (home / "local" / "images").symlink_to(mine)
        cloud.discard(home, silent)
        assert not home.exists()
        assert (mine / "photo.jpg").exists()
        home.mkdir()
        (home / "local").symlink_to(mine)
        cloud.discard(home, silent)
        assert (mine / "photo.jpg").exists()


class TestSecret:
    def test_it_is_random_and_for_the_user_alone(self, tmp_path: Path) -> None:
        one, other = secret.make(tmp_path / "one"), secret.make(tmp_path / "other")
        assert one != other
        assert secret.make(tmp_path / "one") == secret.read(tmp_path / "one") == one
        assert (tmp_path / "one").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "one" / "local" / "secret").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
    def test_one_that_others_may_read_is_none(self, mode: int, tmp_path: Path) -> None:
        secret.make(tmp_path)
        (tmp_path / "local" / "secret").chmod(mode)
        with pytest.raises(LocalCloudError, match="others may read"):
            secret.read(tmp_path)

    @pytest.mark.parametrize("text", ["", "short", "ä" * 64])
    def test_one_that_can_be_guessed_is_none(self, text: str, tmp_path: Path) -> None:
        secret.make(tmp_path)
        (tmp_path / "local" / "secret").write_text(text, "utf-8")
        with pytest.raises(LocalCloudError, match="secret"):
            secret.read(tmp_path)

    def test_no_record_and_no_text_of_a_cloud_has_it(self, tmp_path: Path) -> None:
        made = Cloud("http://127.0.0.1:1", pid=1, secret=secret.make(tmp_path))
        write_cloud(tmp_path, made)
        assert made.secret not in (tmp_path / "local" / "cloud.json").read_text("utf-8")
        assert made.secret not in repr(made)
        assert read_cloud(tmp_path).secret == made.secret


class TestWhoIsStopped:
    @pytest.fixture
    def bystander(self) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
            yield process
            process.kill()

    def test_not_a_process_that_has_only_the_number(
        self, bystander: subprocess.Popen[bytes], own_cloud: Command
    ) -> None:
        """The cloud was killed, and its process id has become another program's."""
        home = own_cloud.home
        secret.make(home)
        write_cloud(home, Cloud("http://127.0.0.1:1", pid=bystander.pid))
        kept.process_lock(home).write_text(str(bystander.pid), "ascii")
        assert own_cloud("local", "stop").stdout == "it was not running\n"
        assert own_cloud("local", "status").stdout.startswith("not running")
        cloud.discard(home, silent)
        assert bystander.poll() is None

    def test_the_lock_tells_who_holds_it(self, tmp_path: Path) -> None:
        assert holder(tmp_path / "lock") is None
        with held(tmp_path / "lock"):
            assert holder(tmp_path / "lock") == os.getpid()
        (tmp_path / "lock").write_text("1", "ascii")
        assert holder(tmp_path / "lock") is None


class TestLogs:
    def test_a_large_one_begins_anew(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kept, "LARGEST_LOG", 10)
        log = tmp_path / "cloud.log"
        assert kept.rotate(log) is False
        log.write_bytes(b"short")
        assert kept.rotate(log) is False
        log.write_bytes(b"long enough")
        assert kept.rotate(log) is True
        assert not log.exists()
        assert (tmp_path / "cloud.log.1").read_bytes() == b"long enough"

    def test_a_functions_too_and_no_line_is_sent_twice(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[str] = []

        class Logs:
            def create_log_stream(self, **place: Any) -> None: ...  # noqa: ANN401 - AWS's

            def put_log_events(self, logEvents: list[dict[str, Any]], **place: Any) -> None:  # noqa: ANN401, ARG002, N803 - AWS's
                sent.extend(event["message"] for event in logEvents)

        monkeypatch.setattr("lambdacap.local.log_stream.LARGEST_LOG", 10)
        file = tmp_path / "x.log"
        with file.open("ab") as printed:  # as the process holds it
            stream = LogStream(cast("Any", Logs()), "x", "1", file)
            for line in ("first line", "second line", "third"):
                printed.write(f"{line}\n".encode())
                printed.flush()
                stream.send()
                assert file.stat().st_size <= 10
        from lambdacap.local import log_stream

        log_stream._sender.submit(lambda: None).result(10)
        assert sent == ["first line", "second line", "third"]


@pytest.mark.slow
def test_a_proxy_of_the_users_is_in_nobodys_way(lambdacap: Command) -> None:
    """None of it answers, and no variable says that this machine needs none."""
    nowhere = dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"), "http://127.0.0.1:1"
    )
    from dataclasses import replace

    from tests.conftest import STUB

    own = replace(lambdacap, environ={**nowhere, "LAMBDACAP_IMAGE": str(STUB), "LAMBDACAP_DOCKER": "no"})
    try:
        own("deploy", "--local")
        assert own("logs", "--json").code == 0
        assert own("teardown", "--yes").code == 0
    finally:
        cloud.discard(lambdacap.home, silent)
