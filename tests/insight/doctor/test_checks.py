"""`lambdacap doctor`: every finding from a real cause, and exit code 1 exactly when a deploy would fail."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from lambdacap.aws.clients import LOCAL_KEY, connect
from lambdacap.events import silent
from lambdacap.images.docker_engine import Engine
from lambdacap.insight.doctor import aws as doctor_aws
from lambdacap.insight.doctor import checks
from lambdacap.insight.doctor.checks import architecture, room
from lambdacap.insight.doctor.finding import FAIL, OK, WARN, Finding
from lambdacap.insight.policy import Scope, document, statements
from lambdacap.local.cloud import read_cloud, variables
from lambdacap.operations import deploy
from lambdacap.settings import Settings
from tests.aws.test_clients import IDENTITY, refusal
from tests.command import Command
from tests.conftest import ACCOUNT, REGION, STUB
from tests.pushing import content_tag, push_image
from tests.servers import Answer, serving

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
ENGINE = Engine("29.0", "x86_64", "Debian", "/nowhere", "unix:///run/docker.sock")


def by_check(findings: list[Any]) -> dict[str, Finding]:
    """The worst finding of each check."""
    told = [finding if isinstance(finding, Finding) else Finding(**finding) for finding in findings]
    return {f.check: f for f in sorted(told, key=lambda finding: [OK, WARN, FAIL].index(finding.level))}


@pytest.fixture
def aws(shared: Command, tmp_path: Path) -> Command:
    """The command as on AWS, which is the session's local cloud; its records are its own."""
    keys = {**KEYS, **variables(read_cloud(shared.home))}
    return replace(shared, home=tmp_path / "records", environ={**shared.environ, **keys, "LAMBDACAP_REGION": REGION})


class TestHere:
    def test_nothing_is_wrong(self, shared: Command, name: str) -> None:
        before = shared("doctor", "--local", "--json").data
        assert before["healthy"] is True
        found = by_check(before["findings"])
        assert {finding.level for finding in found.values()} == {OK}
        assert list(found) == ["image folder", "weights", "disk", "local cloud", "deployment", "engine"]
        assert found["deployment"].detail == f"nothing named {name} yet"
        shared("deploy", "--local")
        assert f"deployment ok {name} is there" in words(shared("doctor", "--local").stdout)
        changed = words(shared("doctor", "--local", "--memory", 512).stdout)
        assert f"{name} is there; a deploy would update: function" in changed
        shared("teardown", "--yes")

    def test_no_cloud_runs_and_none_is_started_for_it(self, lambdacap: Command) -> None:
        result = lambdacap("doctor", "--local", "--image", STUB)
        assert "installed; a deploy starts it" in result.stdout
        assert not lambdacap.home.exists()

    def test_an_unfinished_deployment(self, shared: Command) -> None:
        shared("push", "--local")
        found = by_check(shared("doctor", "--local", "--json").data["findings"])
        assert found["deployment"].level == WARN
        assert "unfinished: role, log group, function, api missing" in found["deployment"].detail
        shared("teardown", "--yes")

    @pytest.mark.parametrize(
        ("arguments", "check", "detail"),
        [
            (["--image", "/nowhere"], "image folder", "there is no folder /nowhere"),
            (["--weights", "/nowhere.pickle"], "weights", "there is no such file or folder"),
            (["--weights", "demo", "--image", str(STUB)], "weights", "holds no demo model"),
        ],
    )
    def test_what_is_missing_in_the_folders(
        self, arguments: list[str], check: str, detail: str, lambdacap: Command
    ) -> None:
        result = lambdacap("doctor", "--local", *arguments, "--json", code=1)
        found = by_check(result.data["findings"])
        assert found[check].level == FAIL
        assert detail in found[check].detail
        assert result.data["healthy"] is False
        assert f'"message": "a deploy would fail: {check}"' in result.stderr
        assert "Traceback" not in result.stderr
        # A deploy would indeed.
        assert detail in lambdacap("deploy", "--local", *arguments, code=1).stderr

    def test_room(self, tmp_path: Path) -> None:
        assert room("disk", tmp_path, 1).level == OK
        full = room("disk", tmp_path, 10**18)
        assert (full.level, full.hint) == (FAIL, "Make room there.")
        assert str(tmp_path) in full.detail
        assert checks.nearest(tmp_path / "a" / "b") == tmp_path

    @pytest.mark.parametrize(
        ("wanted", "engine", "level"),
        [
            ("x86_64", ENGINE, OK),
            ("arm64", replace(ENGINE, architecture="aarch64"), OK),
            ("x86_64", replace(ENGINE, architecture="aarch64", system="Docker Desktop"), WARN),
            ("x86_64", replace(ENGINE, architecture="aarch64", url="tcp://10.0.0.1:2375"), WARN),
            ("x86_64", replace(ENGINE, architecture="riscv64"), FAIL),
        ],
    )
    def test_architectures(self, wanted: str, engine: Engine, level: str) -> None:
        finding = architecture(wanted, engine)
        assert finding.level == level
        assert wanted in finding.detail
        assert bool(finding.hint) is (level != OK)


class TestOnAws:
    def test_what_is_there_and_what_is_not(self, aws: Command) -> None:
        result = aws("doctor", "--json", code=1)
        found = by_check(result.data["findings"])
        # There is no engine here, and no image yet.
        assert [check for check, finding in found.items() if finding.level == FAIL] == ["engine"]
        assert "no Docker engine answers" in found["engine"].detail
        assert found["credentials"].detail == f"arn:aws:iam::{ACCOUNT}:root in account {ACCOUNT}: the account's root"
        assert found["clock"].level == found["region"].level == OK
        assert found["deployment"].level == OK
        assert '"message": "a deploy would fail: engine"' in result.stderr

    @pytest.mark.slow
    def test_no_engine_is_needed_where_the_image_is_in_ecr(self, aws: Command, name: str) -> None:
        ecr = root(aws, "ecr")
        ecr.create_repository(repositoryName=name, tags=[{"Key": "lambdacap", "Value": name}])
        tag = content_tag(Settings(name=name, image=STUB))
        push_image(ecr, name, tag)
        time.sleep(1.1)  # ECR's times are whole seconds
        push_image(ecr, name, "another")
        # The newest, which a deploy would take for the one in use.
        assert aws("deploy", "--dry-run", "--json").data["changes"][1]["differences"]["tag"]["old"] == "another"
        result = aws("doctor", "--json")
        found = by_check(result.data["findings"])
        assert result.data["healthy"] is True
        assert found["engine"].level == WARN
        assert found["engine"].detail.endswith("this image is in ECR already, and needs none")
        # A deploy indeed needs none.
        assert aws("push", "--json").data["resources"]["image"]["tag"] == tag
        ecr.delete_repository(repositoryName=name, force=True)

    def test_somebody_elses_repository(self, aws: Command, name: str) -> None:
        ecr = root(aws, "ecr")
        ecr.create_repository(repositoryName=name)
        found = by_check(aws("doctor", "--json", code=1).data["findings"])
        assert found["deployment"].level == FAIL
        assert "does not carry the tag" in found["deployment"].detail
        ecr.delete_repository(repositoryName=name)

    @pytest.mark.parametrize(
        ("environ", "check", "detail", "hint"),
        [
            ({}, "credentials", "no AWS credentials were found", "aws configure"),
            ({"LAMBDACAP_REGION": ""}, "region", "no AWS region is set", "--region"),
            ({"AWS_PROFILE": "nobody", "LAMBDACAP_REGION": ""}, "region", "nobody", "aws configure list-profiles"),
        ],
    )
    def test_not_signed_in(
        self, environ: dict[str, str], check: str, detail: str, hint: str, lambdacap: Command
    ) -> None:
        command = replace(
            lambdacap, environ={"LAMBDACAP_IMAGE": str(STUB), "LAMBDACAP_REGION": "eu-central-1", **environ}
        )
        result = command("doctor", "--json", code=1)
        found = by_check(result.data["findings"])
        assert found[check].level == FAIL
        assert detail in found[check].detail
        assert hint in found[check].hint
        assert "Traceback" not in result.stderr

    def test_a_misspelt_region(self, lambdacap: Command) -> None:
        result = lambdacap("doctor", "--region", "eu-centra-1", "--json", code=1)
        found = by_check(result.data["findings"])
        assert (found["region"].level, found["region"].hint) == (WARN, "Did you mean eu-central-1?")


def root(aws: Command, service: str) -> Any:  # noqa: ANN401 - any service's client
    """A client of the account's root, who may everything."""
    session: Any = boto3.Session(LOCAL_KEY, aws.environ["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
    return session.client(service, endpoint_url=aws.environ["AWS_ENDPOINT_URL"])


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Finding]]:
    """What the doctor finds when AWS gives these answers."""

    def findings(*answers: Answer, **values: Any) -> dict[str, Finding]:  # noqa: ANN401 - Settings'
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        with serving(*answers) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
            settings = Settings(region="eu-central-1", image=STUB, home=Path("/nowhere"), **values)
            return by_check(list(doctor_aws.examine(settings, silent)))

    return findings


def limits(total: int, free: int | None = None) -> Answer:
    limit = {"ConcurrentExecutions": total, "UnreservedConcurrentExecutions": total if free is None else free}
    return Answer(body=json.dumps({"AccountLimit": limit, "AccountUsage": {}}).encode())


NO_MORE = refusal("AccessDenied", "not authorized to perform: iam:SimulatePrincipalPolicy", 403)


@pytest.mark.parametrize(("ahead", "level"), [(0, OK), (-90, WARN), (400, FAIL), (-400, FAIL)])
def test_the_clock(ahead: float, level: str, at: Callable[..., dict[str, Finding]]) -> None:
    found = at(IDENTITY, replace(IDENTITY, ahead=ahead), limits(1000), NO_MORE)
    assert found["clock"].level == level
    assert bool(found["clock"].hint) is (level != OK)
    if ahead:
        assert ("ahead of" if ahead < 0 else "behind") in found["clock"].detail


def test_a_clock_so_wrong_that_signing_in_fails(at: Callable[..., dict[str, Finding]]) -> None:
    found = at(replace(refusal("SignatureDoesNotMatch", "Signature expired", 403), ahead=3600))
    assert found["credentials"].level == found["clock"].level == FAIL
    assert "behind AWS's" in found["clock"].detail


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (refusal("ExpiredToken", "expired", 403), "expired"),
        (refusal("InvalidClientTokenId", "invalid", 403), "InvalidClientTokenId"),
    ],
)
def test_credentials_that_aws_refuses(answer: Answer, detail: str, at: Callable[..., dict[str, Finding]]) -> None:
    found = at(answer)
    assert found["credentials"].level == FAIL
    assert detail in found["credentials"].detail
    assert found["clock"].level == OK


def test_a_new_account(at: Callable[..., dict[str, Finding]]) -> None:
    found = at(IDENTITY, IDENTITY, limits(10), NO_MORE, memory=4096)
    assert found["concurrency"].level == found["memory"].level == WARN
    assert "which AWS tells nobody; wanted are 4096 MB" in found["memory"].detail
    assert "memory" not in at(IDENTITY, IDENTITY, limits(10), NO_MORE)
    assert at(IDENTITY, IDENTITY, limits(1000), NO_MORE, memory=4096)["concurrency"].level == OK


@pytest.mark.parametrize(
    ("total", "reserved", "own", "told"),
    [
        (1000, None, 0, False),
        (1000, 900, 0, False),
        (1000, 901, 0, True),
        (150, 60, 0, True),
        (10, 1, 0, True),
        (1000, 900, 60, False),  # 60 of them are its own already
        (1000, 60, 60, False),
    ],
)
def test_a_reservation_that_the_account_has_no_room_for(
    total: int, reserved: int | None, own: int, told: bool, at: Callable[..., dict[str, Finding]]
) -> None:
    """100 executions stay unreserved (PutFunctionConcurrency's reference), of a small account all."""
    free = limits(total, total - own)
    asked = reserved is not None and total - own - reserved < min(100, total)
    there = [] if not asked else [Answer(body=json.dumps({"ReservedConcurrentExecutions": own}).encode())]
    found = at(IDENTITY, IDENTITY, free, *there, NO_MORE, reserved_concurrency=reserved)
    assert ("reserved concurrency" in found) is told


def test_the_path_of_a_role_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Roles of Identity Center have one, and sessions' names leave it out."""
    arn = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Admin_1"
    role = f"<GetRoleResponse><GetRoleResult><Role><Arn>{arn}</Arn></Role></GetRoleResult></GetRoleResponse>"
    session = IDENTITY.body.replace(
        b"iam::123456789012:user/ann", b"sts::123456789012:assumed-role/AWSReservedSSO_Admin_1/ann"
    )
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "x")
    with serving(
        replace(IDENTITY, body=session), Answer(body=role.encode()), refusal("AccessDenied", "no", 403)
    ) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        aws = connect(region="eu-central-1", profile=None, endpoint=None)
        assert doctor_aws._identity(aws) == arn
        assert doctor_aws._identity(aws) == "arn:aws:iam::123456789012:role/AWSReservedSSO_Admin_1"


def test_what_may_not_be_asked_is_a_warning(at: Callable[..., dict[str, Finding]]) -> None:
    denied = Answer(403, b'{"__type": "AccessDeniedException", "message": "no"}')
    found = at(IDENTITY, IDENTITY, denied, NO_MORE)
    assert found["quotas"].level == found["permissions"].level == WARN
    assert "iam:SimulatePrincipalPolicy" in found["permissions"].detail
    assert "lambdacap policy" in found["permissions"].hint


def test_permissions_by_the_simulator(aws: Command, name: str) -> None:
    """The simulator of the local cloud does not know conditions, so the policies here have none."""
    iam = root(aws, "iam")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    user = replace(aws, environ={**aws.environ, **keys})

    def found(*without: str) -> Finding:
        policy = tuple(
            replace(s, condition={}, actions=tuple(action for action in s.actions if action not in without))
            for s in statements(Scope(name, REGION, ACCOUNT))
        )
        text = json.dumps(document(tuple(statement for statement in policy if statement.actions)))
        iam.put_user_policy(UserName=name, PolicyName="deployer", PolicyDocument=text)
        may_ask = {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"}
        asking = json.dumps({"Version": "2012-10-17", "Statement": [may_ask]})
        iam.put_user_policy(UserName=name, PolicyName="asks", PolicyDocument=asking)
        return by_check(user("doctor", "--json", code=1).data["findings"])["permissions"]

    assert found() == Finding("permissions", OK, "all that `lambdacap policy` prints")
    lacking = found("lambda:UpdateAlias", "iam:PassRole")
    assert lacking.level == FAIL
    assert lacking.detail == f"arn:aws:iam::{ACCOUNT}:user/{name} may not: iam:PassRole, lambda:UpdateAlias"
    for policy in ("deployer", "asks"):
        iam.delete_user_policy(UserName=name, PolicyName=policy)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)


def test_an_unwell_deployment(settings: Settings, deployed: deploy.Deployed) -> None:  # noqa: ARG001 - for its effect
    survey = deploy.survey(settings, silent)
    assert survey.site is not None
    survey.site.aws.lambda_.remove_permission(FunctionName=settings.name, StatementId="lambdacap-api", Qualifier="live")
    found = by_check(list(checks.examine(settings, silent)))
    assert found["deployment"].level == WARN
    assert "the gateway may not call the function" in found["deployment"].detail
