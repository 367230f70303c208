"""`lambdacap config`: every setting, whose word it is, and that the other commands go by the same."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from lambdacap.deployment.record import Deployment, Records
from lambdacap.errors import DeploymentError, SettingsError
from lambdacap.insight.config import Entry, explain
from lambdacap.settings import Settings, load
from tests.command import Command

AWS = Deployment("captions", target="aws", account="123456789012", region="eu-west-3", profile="work")


def entries(settings: Settings) -> dict[str, Entry]:
    return {setting.name: setting.deploy for setting in explain(settings)}


def deployed(settings: Settings) -> dict[str, Entry | None]:
    return {setting.name: setting.deployed for setting in explain(settings) if setting.deployed}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_every_setting_says_where_it_comes_from(tmp_path: Path, home: Path) -> None:
    (tmp_path / "lambdacap.toml").write_text("memory = 512\ntimeout = 20\n", "utf-8")
    environ = {"LAMBDACAP_HOME": str(home), "LAMBDACAP_TIMEOUT": "30", "LAMBDACAP_REGION": "eu-north-1"}
    shown = entries(load({"architecture": "arm64", "local": None}, environ, tmp_path))
    assert set(shown) == {field.name for field in fields(Settings)} - {"given"}
    assert shown["architecture"] == Entry("arm64", "--arch")
    assert shown["timeout"] == Entry(30, "LAMBDACAP_TIMEOUT")
    assert shown["region"] == Entry("eu-north-1", "LAMBDACAP_REGION")
    assert shown["memory"] == Entry(512, str(tmp_path / "lambdacap.toml"))
    assert shown["log_retention"] == Entry(14, "default")
    assert shown["weights"] == Entry("published", "default")
    assert shown["base_image"] == Entry("public.ecr.aws/lambda/python:3.13", "default: the Dockerfile's")


def test_what_aws_itself_is_set_to(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=home)
    assert entries(settings)["region"] == Entry(None, "not set")
    assert entries(settings)["profile"] == Entry("default", "AWS's default")
    config = tmp_path / "config"
    config.write_text("[profile work]\nregion = eu-south-1\n", "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert entries(settings)["region"] == Entry("eu-south-1", "AWS's settings of profile work")
    assert entries(settings)["profile"] == Entry("work", "AWS_PROFILE")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-2")
    assert entries(settings)["region"] == Entry("eu-south-2", "AWS_DEFAULT_REGION")
    # None of which is the local cloud's business.
    local = entries(replace(settings, local=True))
    assert (local["region"].value, local["profile"].value, local["weights"].value) == ("us-east-1", None, "demo")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SettingsError, match="nobody"):
        explain(settings)


def test_what_a_record_says(home: Path) -> None:
    settings = Settings(name="captions", home=home)
    record = AWS.made_with(replace(settings, memory=2048))
    Records(home).save(record)
    source = f"record {Records(home).path(record)}"
    # A deploy stays where the deployment is; all else that it is not told is the default again.
    assert entries(settings)["region"] == Entry("eu-west-3", source)
    assert entries(settings)["profile"] == Entry("work", source)
    assert entries(settings)["memory"] == Entry(3008, "default")
    assert deployed(settings) == {"memory": Entry(2048, source)}
    told = replace(settings, memory=1024, given={"memory": "--memory"})
    assert entries(told)["memory"] == Entry(1024, "--memory")
    assert deployed(told) == {}


def test_a_name_deployed_more_than_once_is_not_guessed(home: Path) -> None:
    for region in ("eu-west-3", "eu-west-1"):
        Records(home).save(replace(AWS, region=region))
    with pytest.raises(DeploymentError, match="more than once"):
        explain(Settings(name="captions", home=home))


@pytest.mark.slow
def test_the_other_commands_go_by_what_is_shown(shared: Command) -> None:
    """Each setting from another source; the deployment, its status and the record have the values shown."""
    (shared.folder / "lambdacap.toml").write_text("local = true\nmemory = 512\ntimeout = 9\n", "utf-8")
    command = replace(shared, environ={**shared.environ, "LAMBDACAP_TIMEOUT": "11"})
    shown = command("config", "--log-retention", 3, "--json").data
    assert (shown["memory"]["source"], shown["timeout"]["source"], shown["log_retention"]["source"]) == (
        str(shared.folder / "lambdacap.toml"),
        "LAMBDACAP_TIMEOUT",
        "--log-retention",
    )
    command("deploy", "--log-retention", 3)
    (record,) = (shared.home / "deployments").rglob(f"{shared.environ['LAMBDACAP_NAME']}.json")
    recorded = json.loads(record.read_text("utf-8"))
    for name, value in recorded["settings"].items():
        # Without an image or a choice of its own, the base is the Dockerfile's, which the record leaves to it.
        assert shown[name]["value"] == (value if name != "base_image" else shown[name]["value"])
    assert shown["region"]["value"] == recorded["region"]
    # Later, with neither file nor flags: a deploy would fall back, the others do not.
    (shared.folder / "lambdacap.toml").unlink()
    later = shared("config", "--json").data
    assert (later["memory"]["value"], later["memory"]["deployed"]["value"]) == (3008, 512)
    assert (later["local"]["value"], later["local"]["deployed"]["value"]) == (False, True)
    function = shared("status", "--json").data["resources"]["function"]
    assert (function["memory"], function["timeout"]) == (512, 11)
    lines = [" ".join(line.split()) for line in shared("config").stdout.splitlines()]
    assert lines[lines.index("memory 3008 default") + 1] == f"as deployed 512 record {record}"
    shared("teardown", "--yes")


def test_a_variable_that_is_none_of_ours(lambdacap: Command) -> None:
    environ = {"LAMBDACAP_MEMROY": "512", "LAMBDACAP_ARCH": "arm64", "LAMBDACAP_FOO": "", "LAMBDACAP_CI_CACHE": "x"}
    result = replace(lambdacap, environ=environ)("config")
    assert result.stderr.splitlines()[0].startswith("! LAMBDACAP_ARCH is set, which lambdacap does not know.")
    assert "Did you mean LAMBDACAP_ARCHITECTURE?" in result.stderr
    assert "Did you mean LAMBDACAP_MEMORY?" in result.stderr
    assert "LAMBDACAP_FOO is set" in result.stderr
    assert "Known: LAMBDACAP_NAME, LAMBDACAP_REGION" in result.stderr
    assert result.stderr.count("\n") == 3
    assert not lambdacap.home.exists()
