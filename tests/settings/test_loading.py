"""Settings: where a value comes from, and what a bad one is told."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lambdacap.errors import SettingsError
from lambdacap.settings import Settings, default_image, from_file, load


def write(folder: Path, text: str) -> None:
    (folder / "lambdacap.toml").write_text(text, "utf-8")


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    environ = {"LAMBDACAP_MEMORY": "1024", "LAMBDACAP_TIMEOUT": "30"}
    write(tmp_path, "memory = 512\ntimeout = 20\nlog_retention = 7\n")
    settings = load({"memory": 2048, "timeout": None}, environ, tmp_path)
    assert (settings.memory, settings.timeout, settings.log_retention) == (2048, 30, 7)
    assert settings.architecture == "x86_64"
    file = str(tmp_path / "lambdacap.toml")
    assert settings.given == {"memory": "--memory", "timeout": "LAMBDACAP_TIMEOUT", "log_retention": file}


def test_nothing_given(tmp_path: Path) -> None:
    settings = load({"name": None, "local": None}, {}, tmp_path)
    assert settings == Settings()
    assert settings.given == {}
    assert (settings.name, settings.local, settings.memory, settings.timeout) == ("lambdacap", False, 3008, 60)


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    assert load({}, {"LAMBDACAP_NAME": ""}, tmp_path).name == "lambdacap"


@pytest.mark.parametrize(
    ("word", "value"), [("1", True), ("yes", True), ("TRUE", True), ("0", False), ("no", False), ("Off", False)]
)
def test_words_for_yes_and_no(word: str, value: bool, tmp_path: Path) -> None:
    assert load({}, {"LAMBDACAP_LOCAL": word}, tmp_path).local is value


def test_paths_of_the_file_are_relative_to_it(tmp_path: Path) -> None:
    write(tmp_path, 'image = "model"\n')
    assert load({}, {}, tmp_path).image == tmp_path / "model"


def test_a_file_says_nothing_of_where_records_are(tmp_path: Path) -> None:
    """It may have come with somebody else's folder, and with a forged record in it."""
    write(tmp_path, 'home = "state"\n')
    for environ in ({}, {"LAMBDACAP_HOME": str(tmp_path)}):
        with pytest.raises(SettingsError, match="sets 'home', which no file can set") as caught:
            load({}, environ, tmp_path)
        assert "LAMBDACAP_HOME" in caught.value.hint


def test_what_a_file_says_of_where_and_what_is_told(tmp_path: Path) -> None:
    write(tmp_path, 'profile = "prod"\nregion = "eu-central-1"\nname = "captions"\nweights = "demo"\nmemory = 512\n')
    file = tmp_path / "lambdacap.toml"
    assert (
        from_file(load({}, {}, tmp_path))
        == f"{file} says: name = captions, region = eu-central-1, profile = prod, weights = demo"
    )
    flags, environ = {"name": "mine", "region": "us-east-1", "profile": "me"}, {"LAMBDACAP_WEIGHTS": "published"}
    assert from_file(load(flags, environ, tmp_path)) == ""


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        "memory = " + "9" * 5000,
        "memory = 1e999",
        "memory = nan",
        "name = 1979-05-27",
        "[name]\nx = 1",
        "name = ['" + "x" * 100_000 + "']",
        "image = '~nobody-of-that-name/x'",
        'image = "a\\u0000b"',
        "#" * (1 << 21),
        '"\\u001b]0;owned\\u0007" = 1',
    ],
    ids=lambda text: text[:12],
)
def test_a_file_that_nobody_means(text: str, tmp_path: Path) -> None:
    write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load({}, {}, tmp_path)
    assert len(caught.value.message) < 400
    assert str(tmp_path) in caught.value.message


def test_what_is_no_file_of_settings(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lambdacap.toml")
    assert load({}, {}, tmp_path) == Settings()
    (tmp_path / "lambdacap.toml").unlink()
    (tmp_path / "lambdacap.toml").mkdir()
    assert load({}, {}, tmp_path) == Settings()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file another user's")
def test_another_users_file_is_refused() -> None:
    code = (
        "import os, sys; from pathlib import Path; from lambdacap.settings import load;"
        "os.seteuid(4321); load({}, {}, Path(sys.argv[1]))"
    )
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are for one user alone
        folder = Path(name)
        write(folder, 'image = "theirs"\n')
        for mode, message in ((0o755, "belongs to another user"), (0o700, "cannot be read")):
            os.chown(folder / "lambdacap.toml", 1234, -1)
            folder.chmod(mode)
            done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=False)
            assert message in done.stderr
            assert "SettingsError" in done.stderr


def test_a_home_of_tilde_is_the_users(tmp_path: Path) -> None:
    assert load({}, {"LAMBDACAP_HOME": "~/state"}, tmp_path).home == Path.home() / "state"


@pytest.mark.parametrize(
    ("environ", "file", "named"),
    [
        ({"LAMBDACAP_MEMORY": "lots"}, "", "LAMBDACAP_MEMORY is 'lots', not a whole number"),
        ({"LAMBDACAP_MEMORY": "-1"}, "", "LAMBDACAP_MEMORY is '-1', not a whole number"),
        ({"LAMBDACAP_LOCAL": "maybe"}, "", "LAMBDACAP_LOCAL is 'maybe', not true or false"),
        ({}, "memory = '512 MB'", "memory in {file} is '512 MB', not a whole number"),
        ({}, "memory = true", "memory in {file} is true, not a whole number"),
        ({}, "local = 1", "local in {file} is 1, not true or false"),
        ({}, "name = 5", "name in {file} is 5, not text"),
        ({}, "image = 5", "image in {file} is 5, not a path"),
        ({}, "memroy = 512", "{file} sets 'memroy', which is unknown"),
        ({}, "given = ['x']", "{file} sets 'given', which is unknown"),
        ({}, "memory = ", "{file} is not valid TOML"),
    ],
)
def test_a_bad_value_names_its_source(environ: dict[str, str], file: str, named: str, tmp_path: Path) -> None:
    if file:
        write(tmp_path, file)
    with pytest.raises(SettingsError) as caught:
        load({}, environ, tmp_path)
    assert named.format(file=tmp_path / "lambdacap.toml") in caught.value.message


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("memroy", "Did you mean memory?"),
        ("arch", "Did you mean architecture?"),
        ("log-retention", "Did you mean log_retention?"),
        ("Name", "Did you mean name?"),
        ("colour", "Known: name, region, "),
    ],
)
def test_an_unknown_key_is_guessed_at(key: str, meant: str, tmp_path: Path) -> None:
    write(tmp_path, f'{key} = "x"\n')
    with pytest.raises(SettingsError, match="which is unknown") as caught:
        load({}, {}, tmp_path)
    assert caught.value.hint.startswith(meant)


@pytest.mark.parametrize(
    ("flags", "environ", "whose"),
    [
        ({"memory": 64}, {}, "(--memory)"),
        ({}, {"LAMBDACAP_MEMORY": "64"}, "(LAMBDACAP_MEMORY)"),
        ({}, {}, "({file})"),
    ],
)
def test_a_value_out_of_range_names_its_source(
    flags: dict[str, int], environ: dict[str, str], whose: str, tmp_path: Path
) -> None:
    write(tmp_path, "memory = 63\n")
    with pytest.raises(SettingsError) as caught:
        load(flags, environ, tmp_path)
    assert caught.value.message.endswith(" is out of range " + whose.format(file=tmp_path / "lambdacap.toml"))


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "lambdacap.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"lambdacap\.toml is not valid TOML"):
        load({}, {}, tmp_path)


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"name": "Lambdacap"}, "'Lambdacap' cannot name", "lower-case"),
        ({"name": "x"}, "'x' cannot name", "2 to 40"),
        ({"name": "a" * 41}, "cannot name", "2 to 40"),
        ({"name": "ends-"}, "'ends-' cannot name", "2 to 40"),
        ({"name": "a/b"}, "'a/b' cannot name", "letters, digits and hyphens"),
        ({"name": "name\n"}, "cannot name", "letters, digits and hyphens"),
        ({"region": "Frankfurt"}, "'Frankfurt' is no AWS region", "eu-central-1"),
        ({"architecture": "sparc"}, "'sparc' is unknown", "x86_64 and arm64"),
        ({"memory": 127}, "memory = 127 is out of range", "128 to 10240 MB"),
        ({"memory": 10_241}, "memory = 10241 is out of range", "128 to 10240 MB"),
        ({"timeout": 0}, "timeout = 0 is out of range", "1 to 900 seconds"),
        ({"timeout": 901}, "timeout = 901 is out of range", "1 to 900 seconds"),
        ({"log_retention": 2}, "log_retention = 2 days", "1, 3, 5, 7"),
    ],
)
def test_what_aws_would_refuse_is_refused_at_once(values: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**values)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["ab", "a" * 40, "captions-2"])
@pytest.mark.parametrize(
    "region", ["eu-central-1", "us-gov-west-1", "ap-southeast-4", "eusc-de-east-1", "us-isob-east-1", None]
)
def test_good_names_and_regions(name: str, region: str | None) -> None:
    settings = Settings(name=name, region=region)
    # IAM's limit for the role, whose name holds both.
    assert len(f"{settings.name}-{settings.region}") <= 64


def test_the_checkouts_own_image_is_the_default() -> None:
    assert (default_image() / "Dockerfile").is_file()
    assert (default_image() / "handler.py").is_file()


def test_a_project_in_the_current_folder_is_the_image_unless_something_else_is_said(tmp_path: Path) -> None:
    (tmp_path / "predictor.py").touch()
    assert load({}, {}, tmp_path).image == tmp_path
    assert "image" not in load({}, {}, tmp_path).given
    assert load({"image": Path("other")}, {}, tmp_path).image == tmp_path / "other"
    assert load({}, {"LAMBDACAP_IMAGE": "/other"}, tmp_path).image == Path("/other")
    write(tmp_path, "image = 'third'")
    assert load({}, {}, tmp_path).image == tmp_path / "third"


def test_an_images_folder_is_none(tmp_path: Path) -> None:
    for name in ("predictor.py", "handler.py", "Dockerfile"):
        (tmp_path / name).touch()
    assert load({}, {}, tmp_path).image == default_image()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file another user's")
def test_another_users_predictor_is_not_run_in_our_name() -> None:
    code = (
        "import os, sys; from pathlib import Path; from lambdacap.settings import load;"
        "os.seteuid(4321); load({}, {}, Path(sys.argv[1]))"
    )
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are for one user alone
        folder = Path(name)
        (folder / "predictor.py").touch()
        os.chown(folder / "predictor.py", 1234, -1)
        folder.chmod(0o755)
        done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=False)
        assert "predictor.py belongs to another user" in done.stderr
