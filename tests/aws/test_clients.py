"""Signing in, what AWS's errors become, and waiting: against servers that speak AWS's protocols."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lambdacap.aws.clients import Aws, code, connect, found, moments, retry, text, translated
from lambdacap.errors import AwsError, CredentialsError, LocalCloudError, SettingsError
from lambdacap.settings import Settings
from tests.servers import Answer, serving

IDENTITY = Answer(
    body=b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
    <Arn>arn:aws:iam::123456789012:user/ann</Arn><UserId>x</UserId><Account>123456789012</Account>
    </GetCallerIdentityResult></GetCallerIdentityResponse>""",
    media_type="text/xml",
)


def refusal(name: str, message: str = "no", status: int = 400) -> Answer:
    """An error in the query protocol, which STS speaks."""
    error = f"<Error><Type>Sender</Type><Code>{name}</Code><Message>{message}</Message></Error>"
    return Answer(status, f"<ErrorResponse>{error}</ErrorResponse>".encode(), "text/xml")


def json_refusal(name: str, message: str = "no", status: int = 400) -> Answer:
    """An error in the JSON protocol, which ECR and CloudWatch Logs speak."""
    return Answer(status, f'{{"__type": "{name}", "message": "{message}"}}'.encode(), "application/x-amz-json-1.1")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def at(monkeypatch: pytest.MonkeyPatch, url: str) -> Aws:
    """Signs in as to AWS, with all of AWS at `url`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    return connect(region="eu-central-1", profile=None, endpoint=None)


@pytest.mark.usefixtures("keys")
class TestSigningIn:
    def test_the_account_and_caller_are_learned(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(IDENTITY) as server:
            aws = at(monkeypatch, server.url)
        assert (aws.account, aws.caller) == ("123456789012", "arn:aws:iam::123456789012:user/ann")
        assert aws.arn("lambda", "function:f") == "arn:aws:lambda:eu-central-1:123456789012:function:f"
        assert aws.domain == "amazonaws.com"
        assert aws.arn("iam", "role/r", regional=False) == "arn:aws:iam::123456789012:role/r"
        assert "lambdacap/" in server.asked[0].headers["user-agent"]

    def test_china_is_another_partition(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(IDENTITY) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
            aws = connect(region="cn-north-1", profile=None, endpoint=None)
        assert aws.arn("logs", "x") == "arn:aws-cn:logs:cn-north-1:123456789012:x"
        assert aws.domain == "amazonaws.com.cn"

    @pytest.mark.parametrize("name", ["ExpiredToken", "ExpiredTokenException", "RequestExpired"])
    def test_an_expired_session(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        expired = refusal(name, "The security token is expired", 403)
        with serving(expired) as server, pytest.raises(CredentialsError) as caught:
            at(monkeypatch, server.url)
        assert f"sts:GetCallerIdentity: The security token is expired ({name})" in caught.value.message
        assert "sign in again" in caught.value.hint

    @pytest.mark.parametrize("name", ["InvalidClientTokenId", "SignatureDoesNotMatch"])
    def test_keys_that_aws_does_not_know(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(refusal(name, "invalid", 403)) as server, pytest.raises(CredentialsError) as caught:
            at(monkeypatch, server.url)
        assert "check the profile and the keys" in caught.value.hint

    def test_a_region_that_is_not_enabled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """There AWS says that it does not know the keys; where everybody may work, it does."""
        with (
            serving(refusal("InvalidClientTokenId", "invalid", 403), IDENTITY) as server,
            pytest.raises(SettingsError, match="this account has not enabled that region") as caught,
        ):
            at(monkeypatch, server.url)
        assert [
            "eu-central-1" in server.asked[0].headers["authorization"],
            "us-east-1" in server.asked[1].headers["authorization"],
        ] == [True, True]
        assert "choose another --region" in caught.value.hint

    @pytest.mark.parametrize(("region", "asked"), [("us-east-1", 1), ("cn-north-1", 1), ("ap-east-1", 2)])
    def test_keys_that_are_unknown_everywhere(self, region: str, asked: int, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(refusal("InvalidClientTokenId", "invalid", 403)) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
            with pytest.raises(CredentialsError):
                connect(region=region, profile=None, endpoint=None)
        assert len(server.asked) == asked

    def test_the_sovereign_cloud_is_another_partition(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(IDENTITY) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
            aws = connect(region=Settings(region="eusc-de-east-1").region, profile=None, endpoint=None)
        assert aws.arn("lambda", "x") == "arn:aws-eusc:lambda:eusc-de-east-1:123456789012:x"
        assert aws.domain == "amazonaws.eu"

    def test_each_thread_has_its_own_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`status` asks for four things at once: what one of them may not is told by its own name."""
        meeting = threading.Barrier(2)

        def ask(call: Callable[[], object]) -> str:
            def denied() -> None:
                try:
                    call()
                finally:
                    meeting.wait(10)

            with pytest.raises(AwsError) as caught, translated(aws):
                denied()
            return str(caught.value.operation)

        with serving(IDENTITY, json_refusal("AccessDeniedException", status=403)) as server:
            aws = at(monkeypatch, server.url)
            calls = (
                lambda: aws.ecr.list_images(repositoryName="x1"),
                lambda: aws.apigateway.get_stage(restApiId="x", stageName="prod"),
            )
            with ThreadPoolExecutor(2) as pool:
                assert list(pool.map(ask, calls)) == ["ecr:ListImages", "apigateway:GetStage"]

    def test_clients_are_made_one_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(IDENTITY) as server:
            aws = at(monkeypatch, server.url)
        names = ("ecr", "iam", "logs", "lambda_", "apigateway", "tagging", "cloudwatch", "sns")
        with ThreadPoolExecutor(8) as pool:
            assert len(set(map(id, pool.map(lambda name: getattr(aws, name), names)))) == 8

    def test_an_invocation_is_made_once_and_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """botocore would ask five times, of a function that works longer than it waits."""
        monkeypatch.setattr("lambdacap.aws.clients.START_MARGIN", 0.5)
        with serving(IDENTITY, Answer(body=b"{}", delay=2)) as server:
            aws = at(monkeypatch, server.url)
            with pytest.raises(AwsError, match="did not answer lambda:Invoke"), translated(aws):
                aws.invoking(0.5).invoke(FunctionName="f")
            assert len(server.asked) == 2
        assert aws.invoking(900).meta.config.read_timeout == 900.5  # type: ignore[attr-defined]

    def test_no_region(self) -> None:
        with pytest.raises(SettingsError, match="no AWS region") as caught:
            connect(region=None, profile=None, endpoint=None)
        assert "--region" in caught.value.hint

    def test_somebody_else_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        page = Answer(body=b"<!doctype html><p>Sign in to the hotel's network</p><br>", media_type="text/html")
        with serving(page) as server, pytest.raises(AwsError, match="AWS did not answer sts:GetCallerIdentity"):
            at(monkeypatch, server.url)

    def test_nobody_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(IDENTITY) as server:
            aws = at(monkeypatch, server.url)
        with pytest.raises(AwsError, match="AWS did not answer sts:GetCallerIdentity") as caught, translated(aws):
            # What botocore raises after its retries, which take ten seconds.
            raise EndpointConnectionError(endpoint_url=server.url)
        assert caught.value.operation == "sts:GetCallerIdentity"
        assert "network" in caught.value.hint


def test_no_credentials() -> None:
    with pytest.raises(CredentialsError, match="no AWS credentials were found") as caught:
        connect(region="eu-central-1", profile=None, endpoint=None)
    assert "aws configure" in caught.value.hint
    assert "--local" in caught.value.hint


def test_half_of_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    with pytest.raises(CredentialsError):
        connect(region="eu-central-1", profile=None, endpoint=None)


def test_an_unknown_profile() -> None:
    with pytest.raises(SettingsError, match="nobody") as caught:
        connect(region="eu-central-1", profile="nobody", endpoint=None)
    assert "aws configure list-profiles" in caught.value.hint


def test_a_profile_whose_process_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile broken]\ncredential_process = /bin/false\n", "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with pytest.raises(CredentialsError, match="could not be fetched"):
        connect(region="eu-central-1", profile="broken", endpoint=None)


@pytest.mark.usefixtures("keys")
class TestTheLocalCloud:
    def test_it_never_sees_the_users_keys(self) -> None:
        with serving(IDENTITY) as server:
            aws = connect(region=None, profile=None, endpoint=server.url)
        assert aws.region == "us-east-1"
        (asked,) = server.asked
        assert "AKIDEXAMPLE" not in str(asked)
        assert "Credential=lambdacap/" in asked.headers["authorization"]

    def test_a_profile_set_for_other_work_is_no_matter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        with serving(IDENTITY) as server:
            assert connect(region=None, profile=None, endpoint=server.url).account == "123456789012"

    def test_when_it_is_gone(self) -> None:
        with serving(IDENTITY) as server:
            aws = connect(region=None, profile=None, endpoint=server.url)
        with pytest.raises(LocalCloudError, match="did not answer lambda:GetFunction") as caught, translated(aws):
            aws.lambda_.get_function(FunctionName="f")
        assert "lambdacap local start" in caught.value.hint


@pytest.mark.usefixtures("keys")
class TestErrors:
    @pytest.mark.parametrize("name", ["AccessDeniedException", "AccessDenied"])
    def test_a_denial_names_the_call_and_who_needs_it(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(IDENTITY, json_refusal(name, "not authorized", 400)) as server:
            aws = at(monkeypatch, server.url)
            with pytest.raises(AwsError, match="refused ecr:DescribeRepositories: not") as caught, translated(aws):
                aws.ecr.describe_repositories()
        assert caught.value.operation == "ecr:DescribeRepositories"
        assert caught.value.code == name
        needs = "arn:aws:iam::123456789012:user/ann needs the permission ecr:DescribeRepositories; `lambdacap policy`"
        assert caught.value.hint.startswith(needs)

    def test_any_other_refusal_keeps_awss_words(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(IDENTITY, json_refusal("InvalidParameterException", "too many repositories")) as server:
            aws = at(monkeypatch, server.url)
            with pytest.raises(AwsError, match="too many repositories") as caught, translated(aws):
                aws.ecr.create_repository(repositoryName="captions")
        assert caught.value.code == "InvalidParameterException"
        assert isinstance(caught.value.__cause__, ClientError)

    def test_throttling_is_retried_by_botocore(self, monkeypatch: pytest.MonkeyPatch) -> None:
        none = Answer(body=b'{"repositories": []}', media_type="application/x-amz-json-1.1")
        with serving(IDENTITY, json_refusal("ThrottlingException", "slow down"), none) as server:
            aws = at(monkeypatch, server.url)
            assert aws.ecr.describe_repositories()["repositories"] == []
        assert len(server.asked) == 3

    def test_what_is_missing_is_none_and_nothing_else_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gone, denied = json_refusal("RepositoryNotFoundException"), json_refusal("AccessDeniedException")
        with serving(IDENTITY, gone, denied) as server:
            aws = at(monkeypatch, server.url)
            assert found(aws.ecr.describe_repositories, "RepositoryNotFoundException") is None
            with pytest.raises(ClientError, match="AccessDenied"):
                found(aws.ecr.describe_repositories, "RepositoryNotFoundException")


def client_error(name: str, message: str = "wait") -> ClientError:
    return ClientError({"Error": {"Code": name, "Message": message}}, "CreateFunction")


class TestRetry:
    def run(
        self, outcomes: list[ClientError | str], limit: float = 10.0
    ) -> tuple[str, list[tuple[float, float]], list[float]]:
        """The result, the seconds told (spent, left), and the sleeps."""
        now, told, slept = [0.0], list[tuple[float, float]](), list[float]()

        def call() -> str:
            outcome = outcomes.pop(0)
            if isinstance(outcome, ClientError):
                raise outcome
            return outcome

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            now[0] += seconds

        try:
            result = retry(
                call,
                when=lambda error: code(error) == "Busy",
                limit=limit,
                every=3.0,
                waiting=lambda spent, left: told.append((spent, left)),
                sleep=sleep,
                clock=lambda: now[0],
            )
        except ClientError as error:
            result = f"{code(error)}: {text(error)}"
        return result, told, slept

    def test_success_at_once(self) -> None:
        assert self.run(["done"]) == ("done", [], [])

    def test_a_named_error_is_waited_out(self) -> None:
        busy = client_error("Busy")
        result, told, slept = self.run([busy, busy, "done"])
        assert (result, slept) == ("done", [1.0] * 6)
        # A countdown, beside what has been spent so far.
        assert told == [(0.0, 3.0), (1.0, 2.0), (2.0, 1.0), (3.0, 3.0), (4.0, 2.0), (5.0, 1.0)]

    def test_any_other_error_is_not(self) -> None:
        assert self.run([client_error("Broken"), "done"]) == ("Broken: wait", [], [])
        assert self.run([client_error("Busy"), client_error("Broken"), "done"])[0] == "Broken: wait"

    def test_the_limit_ends_it(self) -> None:
        outcomes: list[ClientError | str] = [client_error("Busy")] * 9
        result, told, slept = self.run(outcomes)
        assert result == "Busy: wait"
        assert sum(slept) == 9.0 <= 10.0
        assert told[-1] == (8.0, 1.0)

    @pytest.mark.parametrize("call", [dict, list, str])
    def test_what_it_returns_is_the_calls(self, call: Callable[[], object]) -> None:
        assert retry(call, when=lambda _: True, limit=1, every=1, waiting=lambda *_: None) == call()


def test_moments_come_soon_at_first_and_seldom_later() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    spent = list(moments(60.0, sleep=sleep, clock=lambda: now[0]))
    assert spent[0] == 0.0
    assert spent[1] == 0.2
    assert spent[-1] - spent[-2] == pytest.approx(2.0)
    assert 58.0 <= spent[-1] <= 60.0


@pytest.mark.usefixtures("keys")
def test_a_page_in_place_of_an_answer_is_told_by_its_title(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies and gateways answer so, and a whole page in a message hides what failed."""
    page = b"<!DOCTYPE html><html><head><title>502 &amp;\n Bad Gateway</title></head><body>" + b"<p>x</p>" * 999
    with serving(IDENTITY, Answer(502, page, "text/html")) as server:
        aws = at(monkeypatch, server.url)
        with pytest.raises(AwsError) as caught, translated(aws):
            aws.invoking(1).invoke(FunctionName="f")
    assert "lambda:Invoke" in caught.value.message
    assert "a web page in place of an answer: 502 & Bad Gateway" in caught.value.message
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("Deleting RestApi x failed. Please remove all base path mappings related to the RestApi", "custom domain"),
        ("Cannot delete REST API x: its stage prod belongs to a usage plan", "usage plan of yours"),
    ],
)
def test_what_holds_an_api_is_told(words: str, hint: str) -> None:
    error = ClientError({"Error": {"Code": "BadRequestException", "Message": words}}, "DeleteRestApi")
    with pytest.raises(AwsError) as caught, translated():
        raise error
    assert hint in caught.value.hint
