"""The installed command, from deploy to teardown: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lambdacap.deployment.record import Deployment, Records
from tests import processes
from tests.command import Command
from tests.conftest import STUB

KINDS = ["repository", "image", "role", "log group", "function", "api"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (8, 8), (200, 10, 10)).save(path)
    return path


@pytest.fixture
def caption(photo: Path) -> str:
    """What the stub says of it."""
    return f"{photo.stat().st_size} bytes"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def actions(plan: list[dict[str, str]]) -> dict[str, str]:
    return {change["resource"]: change["action"] for change in plan}


def test_the_whole_way(shared: Command, photo: Path, caption: str, name: str) -> None:
    first = shared("deploy", "--local")
    url = first.stdout.strip()
    assert url.startswith("http://127.0.0.1:")
    assert first.stdout.count("\n") == 1
    for kind in KINDS:
        assert f"✓ {kind:<12} created" in first.stderr
    assert "no Docker engine is used" in first.stderr
    assert first.stderr.endswith("deployed\n")

    second = shared("deploy", "--local")
    assert second.stdout == first.stdout
    assert second.stderr.endswith("nothing to change: everything is as it should be\n")
    assert second.stderr.count(" kept ") == len(KINDS)

    # From here on no flag: the record is followed.
    assert shared("invoke", photo).stdout == f"{caption}\n"
    assert shared("invoke", photo, photo).stdout == f"{photo}: {caption}\n" * 2
    state = shared("status")
    assert state.stdout.count(" ok ") == len(KINDS)
    assert url in state.stdout
    assert state.stderr == ""

    last = shared("teardown", "--yes")
    assert last.stdout == f"{name} is gone\n"
    assert last.stderr.count(" removed ") == len(KINDS)
    assert Records(shared.home).all(name) == []
    nothing = shared("teardown", "--local", "--yes", code=1)
    assert f"nothing named '{name}' is deployed" in nothing.stderr


@pytest.mark.slow
def test_the_whole_way_as_json(shared: Command, photo: Path, caption: str, name: str) -> None:
    first = shared("deploy", "--local", "--json").data
    assert first["changed"] is True
    assert (first["name"], first["target"], first["region"]) == (name, "local", "us-east-1")
    assert actions(first["changes"]) == dict.fromkeys(KINDS, "create")
    assert set(first["resources"]) == set(KINDS)
    second = shared("deploy", "--local", "--json").data
    assert second["changed"] is False
    assert actions(second["changes"]) == dict.fromkeys(KINDS, "keep")
    assert second["url"] == first["url"]
    assert shared("deploy", "--local", "--dry-run", "--json").data["changes"] == second["changes"]
    one = shared("invoke", photo, "--json").data
    assert (one["photo"], one["caption"]) == (str(photo), caption)
    several = shared("invoke", photo, photo, "--json").stdout.splitlines()
    assert [json.loads(line)["caption"] for line in several] == [caption, caption]
    state = shared("status", "--json").data
    assert (state["complete"], state["differences"], state["url"]) == (True, [], first["url"])
    assert set(state["resources"]) == set(KINDS)
    assert shared("local", "status", "--json").data["running"] is True
    assert list(shared("teardown", "--dry-run", "--json").data["resources"]) == KINDS[::-1]
    last = shared("teardown", "--yes", "--json").data
    assert (last["name"], last["region"], last["target"]) == (name, "us-east-1", "local")
    assert list(last["resources"]) == KINDS[::-1]


def test_a_dry_run_writes_nothing(shared: Command, lambdacap: Command) -> None:
    before = files(shared.home / "deployments")
    planned = shared("deploy", "--local", "--dry-run")
    lines = [line.split("  ")[0] for line in planned.stdout.splitlines()[1:]]
    assert lines[:6] == KINDS
    assert planned.stdout.count("create") == len(KINDS)
    assert files(shared.home / "deployments") == before
    assert shared("status", "--local", code=1).stdout == ""
    # On a machine where no cloud runs, none is started for it.
    fresh = replace(lambdacap, environ=shared.environ)
    assert fresh("deploy", "--local", "--dry-run").stdout == planned.stdout
    assert not fresh.home.exists()


@pytest.mark.usefixtures("no_engine")
def test_a_dry_run_after_a_change_names_it(shared: Command) -> None:
    shared("deploy", "--local")
    planned = shared("deploy", "--local", "--dry-run", "--memory", 512, "--json").data["changes"]
    assert actions(planned)["function"] == "update"
    function = next(change for change in planned if change["resource"] == "function")
    assert function["differences"] == {"memory": {"old": 3008, "new": 512}}
    words = shared("deploy", "--local", "--dry-run", "--memory", 512).stdout
    assert "memory: 3008 → 512" in words
    shared("teardown", "--yes")


@pytest.mark.slow
def test_single_steps(shared: Command, photo: Path, caption: str) -> None:
    early = shared("create-function", "--local", code=1)
    assert "the Amazon ECR repository of" in early.stderr
    assert "lambdacap push" in early.stderr
    assert shared("push", "--local").stdout.count(":") == 2  # host:port/name:tag
    assert "is not there yet" in shared("create-api", code=1).stderr
    unfinished = shared("invoke", photo, code=1)
    assert "unfinished" in unfinished.stderr
    assert "lambdacap deploy" in unfinished.stderr
    state = shared("status", code=1)
    assert "missing" in state.stdout
    assert "is unfinished" in state.stderr
    assert ":function:" in shared("create-function").stdout
    assert shared("create-api").stdout.startswith("http://127.0.0.1:")
    assert shared("invoke", photo).stdout == f"{caption}\n"
    # Each again changes nothing.
    for step in ("push", "create-function", "create-api"):
        assert shared(step, "--local", "--json").data["changed"] is False
    assert shared("deploy", "--local", "--json").data["changed"] is False
    shared("teardown", "--yes")


def test_build_wants_an_engine(lambdacap: Command) -> None:
    refused = lambdacap("build", "--image", STUB, code=1)
    assert "no Docker engine answers" in refused.stderr
    assert "hint:" in refused.stderr


@pytest.mark.slow
def test_there_and_back(shared: Command, name: str) -> None:
    shared("deploy", "--local")
    assert "is the only one" in shared("rollback", code=1).stderr
    assert "; version 2 is live" in shared("deploy", "--local", "--memory", 512).stderr
    back = shared("rollback")
    assert back.stdout == "version 1 is live\n"
    assert "version 1, before it 2" in shared("status").stdout
    again = shared("rollback", 2, "--json").data
    assert (again["name"], again["version"]) == (name, "2")
    state = shared("status", "--json").data
    assert (state["version"], state["previous"], state["resources"]["function"]["memory"]) == ("2", "1", 512)
    missing = shared("rollback", 7, code=1)
    assert f"'{name}' has no version 7" in missing.stderr
    assert "There are: 1, 2." in missing.stderr
    shared("rollback", 0, code=2)
    shared("teardown", "--yes")


@pytest.mark.slow
def test_two_deployments_side_by_side(own_cloud: Command, photo: Path, caption: str) -> None:
    own_cloud("deploy", "--local", "--name", "one")
    own_cloud("deploy", "--local", "--name", "two")
    assert own_cloud("local", "status").stdout.endswith("deployed: one, two\n")
    own_cloud("teardown", "--name", "one", "--yes")
    assert own_cloud("invoke", photo, "--name", "two").stdout == f"{caption}\n"
    assert own_cloud("status", "--name", "two", "--json").data["complete"] is True
    last = own_cloud("teardown", "--name", "two", "--yes")
    assert "local cloud  stopped" in last.stderr
    assert not own_cloud.home.exists()
    assert processes.belonging_to(own_cloud.home) == []


def test_a_deleted_record_is_no_loss(shared: Command, photo: Path, caption: str, name: str) -> None:
    url = shared("deploy", "--local").stdout
    for record in shared.home.rglob(f"{name}.json"):
        record.unlink()
    assert shared("invoke", photo, "--local").stdout == f"{caption}\n"
    state = shared("status", "--local", "--json").data
    assert (state["complete"], state["url"]) == (True, url.strip())
    again = shared("deploy", "--local", "--json").data
    assert (again["changed"], again["url"]) == (False, url.strip())
    for record in shared.home.rglob(f"{name}.json"):
        record.unlink()
    assert shared("teardown", "--local", "--yes").stdout == f"{name} is gone\n"
    assert "is deployed" in shared("status", "--local", code=1).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "kind"),
    [
        *((signal.SIGKILL, kind) for kind in KINDS[:-1]),
        (signal.SIGKILL, ""),
        (signal.SIGINT, ""),
        (signal.SIGINT, "function"),
    ],
)
def test_an_interrupted_deploy_goes_on(number: signal.Signals, kind: str, shared: Command, name: str) -> None:
    """Interrupted after each step in turn (the empty kind: before the first), at whatever it is just doing."""
    process = shared.start("deploy", "--local")
    assert process.stderr is not None
    for line in process.stderr:
        if kind in line:
            break
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == (130 if number is signal.SIGINT else -signal.SIGKILL)
    assert stdout == ""
    if number is signal.SIGINT:
        assert stderr.endswith("interrupted: run the same command again, it goes on where it was\n")
        assert "Traceback" not in stderr
    again = shared("deploy", "--local", "--json").data
    state = shared("status", "--json").data
    assert (state["complete"], state["differences"]) == (True, [])
    assert state["url"] == again["url"]
    shared("teardown", "--yes")
    left = list((shared.home / "deployments").rglob(f"*{name}.*"))
    assert left == []
    assert not (shared.home / "local" / "images" / name).exists()


@pytest.mark.slow
def test_an_interrupted_teardown_goes_on(shared: Command, name: str) -> None:
    shared("deploy", "--local")
    process = shared.start("teardown", "--yes")
    assert process.stderr is not None
    for line in process.stderr:
        if "log group" in line:
            break
    process.kill()
    process.communicate()
    assert shared("teardown", "--yes").stdout == f"{name} is gone\n"


class TestNothingThere:
    def test_teardown(self, lambdacap: Command) -> None:
        result = lambdacap("teardown", "--local", "--yes", code=1)
        assert "nothing named 'lambdacap' is deployed on this machine" in result.stderr
        assert "lambdacap deploy --local" in result.stderr
        assert not lambdacap.home.exists()

    @pytest.mark.parametrize("command", ["status", "teardown"])
    def test_without_credentials_it_is_the_same(self, command: str, lambdacap: Command) -> None:
        result = lambdacap(command, code=1)
        assert "nothing named 'lambdacap' was deployed from this machine, and AWS cannot be asked" in result.stderr
        assert "lambdacap deploy --local" in result.stderr

    def test_invoke(self, lambdacap: Command, photo: Path) -> None:
        result = lambdacap("invoke", photo, code=1)
        assert "nothing named 'lambdacap'" in result.stderr
        assert "lambdacap deploy" in result.stderr

    def test_local_status(self, lambdacap: Command) -> None:
        assert lambdacap("local", "status").stdout == "not running; nothing is deployed\n"
        assert lambdacap("local", "stop").stdout == "it was not running\n"


class TestExpectedFailures:
    @pytest.mark.parametrize(
        ("arguments", "environ", "message", "hint"),
        [
            (["--region", "eu-central-1"], {}, "no AWS credentials were found", "aws configure"),
            ([], {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}, "no AWS region is set", "--region"),
            (["--region", "mars"], {}, "'mars' is no AWS region", "eu-central-1"),
            (["--profile", "nobody", "--region", "eu-central-1"], {}, "nobody", "aws configure list-profiles"),
            (["--name", "Bad_Name"], {}, "'Bad_Name' cannot name a deployment", "lower-case"),
            (["--memory", "64"], {}, "memory = 64 is out of range", "128 to 10240 MB"),
            (["--timeout", "1000"], {}, "timeout = 1000 is out of range", "1 to 900"),
            (["--arch", "sparc"], {}, "architecture 'sparc' is unknown", "x86_64 and arm64"),
            (["--log-retention", "2"], {}, "log_retention = 2 days", "Choose one of"),
            (["--image", "/nowhere"], {}, "there is no folder /nowhere", "--image"),
            ([], {"LAMBDACAP_MEMORY": "much"}, "LAMBDACAP_MEMORY is 'much', not a whole number", "lambdacap config"),
        ],
    )
    def test_a_line_and_a_hint(
        self, arguments: list[str], environ: dict[str, str], message: str, hint: str, lambdacap: Command
    ) -> None:
        command = replace(lambdacap, environ={"LAMBDACAP_IMAGE": str(STUB), **environ})
        result = command("deploy", *arguments, code=1)
        assert result.stderr.startswith("error: ")
        assert message in result.stderr
        assert hint in result.stderr
        assert result.stderr.count("\n") == (2 if hint else 1)
        assert "Traceback" not in result.stderr
        assert result.stdout == ""
        assert not lambdacap.home.exists()

    def test_traceback_with_debug(self, lambdacap: Command) -> None:
        result = lambdacap("deploy", "--image", "/nowhere", "--debug", code=1)
        assert "Traceback" in result.stderr
        assert "SettingsError" in result.stderr
        assert "error: there is no folder /nowhere" in result.stderr

    @pytest.mark.parametrize("name", ["gone.png", "folder"])
    def test_a_missing_file_is_told_before_anything_is_asked(self, name: str, lambdacap: Command) -> None:
        (lambdacap.folder / "folder").mkdir()
        result = lambdacap("invoke", name, code=1)
        assert result.stderr.startswith("error: ")
        assert name in result.stderr

    def test_a_broken_file(self, lambdacap: Command) -> None:
        (lambdacap.folder / "lambdacap.toml").write_text("memory = ", "utf-8")
        assert "lambdacap.toml is not valid TOML" in lambdacap("deploy", code=1).stderr

    def test_a_broken_record(self, lambdacap: Command) -> None:
        records = Records(lambdacap.home)
        here = Deployment("lambdacap", target="local", account="000000000000", region="us-east-1")
        records.save(here)
        records.path(here).write_text("{", "utf-8")
        result = lambdacap("status", code=1)
        assert f"{records.path(here)} is no readable record" in result.stderr
        assert "Delete it" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["deploy", "--no-such-option"],
        ["deploy", "extra"],
        ["invoke"],
        ["invoke", "x.jpg", "--beam", "11"],
        ["invoke", "x.jpg", "--beam", "0"],
        ["deploy", "--memory", "much"],
        ["local", "start", "--port", "99999"],
        [],
    ],
)
def test_wrong_usage(arguments: list[str], lambdacap: Command) -> None:
    result = lambdacap(*arguments, code=2)
    assert "Usage: lambdacap" in result.stderr + result.stdout or "`lambdacap invoke --help`" in result.stderr
    assert "Traceback" not in result.stderr


def test_version_and_help(lambdacap: Command) -> None:
    assert lambdacap("--version").stdout.startswith("lambdacap 0.")
    assert "deploy" in lambdacap("--help").stdout
    assert "--dry-run" in lambdacap("deploy", "--help").stdout


def test_settings_from_the_file_and_the_environment(shared: Command, name: str) -> None:
    (shared.folder / "lambdacap.toml").write_text("local = true\nmemory = 512\ntimeout = 9\n", "utf-8")
    command = replace(shared, environ={**shared.environ, "LAMBDACAP_TIMEOUT": "11"})
    command("deploy", "--log-retention", "3")
    resources = command("status", "--json").data["resources"]
    assert (resources["function"]["memory"], resources["function"]["timeout"]) == (512, 11)
    assert resources["log group"]["retention"] == 3
    # What the deploy was told is remembered where the file is not.
    (shared.folder / "lambdacap.toml").unlink()
    state = shared("status", "--json").data
    assert (state["name"], state["differences"]) == (name, [])
    assert json.loads(next(shared.home.rglob(f"{name}.json")).read_text("utf-8"))["settings"]["memory"] == 512
    shared("teardown", "--yes")


def test_a_profile_for_other_work_does_not_disturb_the_local_cloud(shared: Command) -> None:
    (shared.folder / ".aws").mkdir()
    (shared.folder / ".aws" / "config").write_text("this is no [config\n", "utf-8")
    command = replace(shared, environ={**shared.environ, "AWS_PROFILE": "nobody", "AWS_REGION": "eu-west-1"})
    deployed = command("deploy", "--local", "--json").data
    assert deployed["region"] == "us-east-1"
    command("teardown", "--local", "--yes")


def test_a_table_in_a_pipe_is_complete(shared: Command) -> None:
    name = "a-name-of-forty-characters-" + "x" * 12 + "y"
    shared("deploy", "--local", "--name", name)
    state = shared("status", "--name", name)
    assert f"function:{name}" in state.stdout
    assert f"/{name}:" in state.stdout
    shared("teardown", "--name", name, "--yes")
