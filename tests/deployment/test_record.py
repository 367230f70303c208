"""The record: saved whole, found again, followed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lambdacap.deployment.record import Deployment, Records, follow, remembered
from lambdacap.errors import DeploymentError, StorageError
from lambdacap.settings import Settings

HERE = Deployment("captions", target="local", account="000000000000", region="us-east-1", endpoint="http://127.0.0.1:1")
THERE = Deployment("captions", target="aws", account="123456789012", region="eu-central-1", profile="work")


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    records = Records(tmp_path)
    deployment = HERE.having("api", {"id": "x", "url": "http://x/"}).made_with(Settings(memory=512, image=tmp_path))
    records.save(deployment)
    assert Records(tmp_path).load(HERE) == deployment
    assert deployment.url == "http://x/"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.update(format=2),
        lambda content: content.update(budget=3),
        lambda content: content.pop("format"),
        lambda content: content.pop("lambdacap"),
        lambda content: content.update(profile=5),
        lambda content: content.update(endpoint=["x"]),
        lambda content: content.update(resources=[]),
        lambda content: content.update(resources={"api": "x"}),
        lambda content: content.update(resources={"api": {"url": "file:///etc/passwd"}}),
        lambda content: content.update(resources={"api": {"url": "--new-window"}}),
        lambda content: content.update(resources={"api": {"url": "https://x/\x1b]0;owned\x07"}}),
        lambda content: content.update(settings={"colour": "red"}),
        lambda content: content.update(settings={"home": "/elsewhere"}),
        lambda content: content.update(settings={"memory": "512"}),
        lambda content: content.update(settings={"memory": True}),
        lambda content: content.update(settings={"memory": None}),
        lambda content: content.update(settings={"docker": "yes"}),
        lambda content: content.update(settings={"image": 5}),
        lambda content: content.update(settings=5),
    ],
)
def test_a_record_of_another_shape_is_a_sentence(spoil: Callable[[dict[str, object]], object], tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(HERE)
    content = json.loads(records.path(HERE).read_text())
    spoil(content)
    records.path(HERE).write_text(json.dumps(content))
    with pytest.raises(DeploymentError, match=r"captions\.json (is no readable record|was written by lambdacap)"):
        records.load(HERE)


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff", b"null", b"[]", b"1", b'{"format": 1}'])
def test_a_record_that_is_none_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(HERE)
    records.path(HERE).write_bytes(content)
    with pytest.raises(DeploymentError, match="is no readable record"):
        records.load(HERE)


def test_a_home_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "deployments").write_text("a file")
    with pytest.raises(StorageError, match="cannot be written"):
        Records(tmp_path).save(HERE)


def test_without_a_record_the_blank_one(tmp_path: Path) -> None:
    assert Records(tmp_path).load(HERE) == HERE
    assert Records(tmp_path).all() == []
    assert HERE.url is None


def test_a_save_leaves_no_draft_and_replaces(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(HERE)
    records.save(HERE.having("role", {"arn": "r"}))
    records.save(HERE.having("role", {"arn": "r"}).without("role"))
    assert [path.name for path in records.path(HERE).parent.iterdir()] == ["captions.json"]
    assert records.load(HERE) == HERE


def test_a_save_that_cannot_be_written_keeps_the_old_one(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(HERE)
    with pytest.raises(TypeError):
        records.save(HERE.having("role", {"arn": object()}))  # type: ignore[dict-item]
    assert records.load(HERE) == HERE
    assert records.all() == [HERE]


def test_others_may_not_look_into_the_folder(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(HERE)
    assert records.path(HERE).parent.stat().st_mode & 0o077 == 0


def test_delete_leaves_no_empty_folders(tmp_path: Path) -> None:
    home = tmp_path / "home"
    records = Records(home)
    records.save(HERE)
    records.save(THERE)
    records.delete(HERE)
    assert records.all() == [THERE]
    assert not (home / "deployments" / "local").exists()
    records.delete(THERE)
    assert not home.exists()
    assert tmp_path.exists()


def test_delete_of_nothing_is_quiet(tmp_path: Path) -> None:
    Records(tmp_path / "home").delete(HERE)
    assert list(tmp_path.iterdir()) == []


def test_delete_spares_what_else_is_in_the_home(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(HERE)
    (tmp_path / "local").mkdir()
    records.delete(HERE)
    assert [path.name for path in tmp_path.iterdir()] == ["local"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"x"', '{"format": 1, "lambdacap": "0", "nam": "x"}', "\xff"])
def test_an_unreadable_record_says_what_to_do(text: str, tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(HERE)
    records.path(HERE).write_text(text, "latin-1")
    with pytest.raises(DeploymentError, match="is no readable record") as caught:
        records.load(HERE)
    assert str(records.path(HERE)) in caught.value.message
    assert "Delete it" in caught.value.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"resources": {"api": {"id": 7}}},
        {"resources": {"api": "x"}},
        {"resources": ["api"]},
        {"settings": {"memory": "much"}},
        {"settings": {"image": ["x"]}},
        {"settings": "x"},
    ],
)
def test_a_record_with_what_only_a_person_writes_is_unreadable(changes: dict[str, object], tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(HERE)
    content = json.loads(records.path(HERE).read_text("utf-8"))
    records.path(HERE).write_text(json.dumps({**content, **changes}), "utf-8")
    with pytest.raises(DeploymentError, match="is no readable record"):
        records.load(HERE)
    told: list[str] = []
    forgiving = Records(tmp_path, told.append)
    assert forgiving.load(HERE) == HERE
    assert forgiving.all() == []
    assert len(told) == 1
    forgiving.save(HERE)
    assert records.load(HERE) == HERE


def test_where_a_record_lies_is_what_it_is_of(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(HERE)
    content = json.loads(records.path(HERE).read_text("utf-8"))
    changed = {**content, "name": "other", "account": "1", "region": "mars", "target": "aws"}
    records.path(HERE).write_text(json.dumps(changed), "utf-8")
    assert records.all() == [HERE]


def test_a_record_of_another_format_names_its_writer(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save(HERE)
    content = json.loads(records.path(HERE).read_text("utf-8"))
    records.path(HERE).write_text(json.dumps({**content, "format": 99, "lambdacap": "7.0"}), "utf-8")
    with pytest.raises(DeploymentError, match=r"written by lambdacap 7\.0"):
        records.load(HERE)


def test_a_record_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    records = Records(tmp_path)
    records.save(THERE.made_with(Settings()))
    assert "very-secret" not in records.path(THERE).read_text("utf-8")


class TestFollow:
    def test_no_record_leaves_the_settings(self, tmp_path: Path) -> None:
        settings = Settings(name="captions")
        assert follow(settings, Records(tmp_path)) == settings

    def test_one_record_is_followed(self, tmp_path: Path) -> None:
        records = Records(tmp_path)
        records.save(THERE)
        followed = follow(Settings(name="captions"), records)
        assert (followed.local, followed.region, followed.profile) == (False, "eu-central-1", "work")
        records.delete(THERE)
        records.save(HERE)
        followed = follow(Settings(name="captions"), records)
        assert (followed.local, followed.region, followed.profile) == (True, "us-east-1", None)

    def test_another_name_is_not(self, tmp_path: Path) -> None:
        records = Records(tmp_path)
        records.save(THERE)
        assert follow(Settings(name="other"), records) == Settings(name="other")

    def test_many_records_are_told(self, tmp_path: Path) -> None:
        records = Records(tmp_path)
        records.save(HERE)
        records.save(THERE)
        with pytest.raises(DeploymentError, match="deployed more than once") as caught:
            follow(Settings(name="captions"), records)
        assert "eu-central-1 (aws 123456789012)" in caught.value.message
        assert "us-east-1 (local 000000000000)" in caught.value.message
        assert "--local, --region or --profile" in caught.value.hint

    @pytest.mark.parametrize(
        ("settings", "local"),
        [
            (Settings(name="captions", local=True), True),
            (Settings(name="captions", region="eu-central-1"), False),
            (Settings(name="captions", profile="work"), False),
        ],
    )
    def test_what_the_user_says_narrows_the_choice(self, settings: Settings, local: bool, tmp_path: Path) -> None:
        records = Records(tmp_path)
        records.save(HERE)
        records.save(THERE)
        assert follow(settings, records).local is local

    def test_a_target_narrows_it_too(self, tmp_path: Path) -> None:
        records = Records(tmp_path)
        records.save(HERE)
        records.save(THERE)
        assert follow(Settings(name="captions"), records, "aws").region == "eu-central-1"

    def test_a_region_without_record_is_not_bent(self, tmp_path: Path) -> None:
        records = Records(tmp_path)
        records.save(THERE)
        settings = Settings(name="captions", region="us-west-2")
        assert follow(settings, records) == settings


class TestRemembered:
    def test_the_deployments_settings_come_back(self, tmp_path: Path) -> None:
        made = Settings(memory=512, timeout=7, log_retention=3, docker=False, architecture="arm64", image=tmp_path)
        records = Records(tmp_path)
        records.save(HERE.made_with(made))
        back = remembered(Settings(), records.load(HERE))
        assert back == made
        assert isinstance(back.image, Path)
        assert isinstance(back.docker, bool)

    def test_what_the_user_says_now_wins(self) -> None:
        deployment = HERE.made_with(Settings(memory=512, timeout=7))
        now = replace(Settings(memory=1024), given={"memory": "--memory"})
        back = remembered(now, deployment)
        assert (back.memory, back.timeout) == (1024, 7)

    def test_a_deployment_that_remembers_nothing(self) -> None:
        assert remembered(Settings(memory=1024), HERE) == Settings(memory=1024)
