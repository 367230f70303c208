"""AWS: who is asking, the clients, what its errors mean, and waiting by name.

The only module that makes boto3 clients. botocore itself retries throttling, 5xx and broken connections
(its standard mode); `retry` is for what only we know to be temporary.
"""

from __future__ import annotations

import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from getpass import GetPassWarning
from typing import TYPE_CHECKING, Any, TypeVar, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader
from botocore.session import Session as BotocoreSession

from lambdacap import __version__
from lambdacap.aws.answer import check
from lambdacap.aws.errors import ANSWERS, about_the_user, no_credentials
from lambdacap.aws.refusals import UNKNOWN_CALLER, not_enabled, plain, refused
from lambdacap.aws.refusals import code as code
from lambdacap.aws.refusals import text as text
from lambdacap.aws.retry import moments as moments
from lambdacap.aws.retry import retry as retry
from lambdacap.errors import AwsError, CredentialsError, LocalCloudError, SettingsError

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_budgets import BudgetsClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sts import STSClient

T = TypeVar("T")
TAG = "lambdacap"
LOCAL_REGION = "us-east-1"
_FIRST_REGION = "us-east-1"
"""Enabled in every account, and for good (Account Management's guide)."""
LOCAL_KEY = "lambdacap"
"""The local cloud's own access key: the user's credentials never go there."""
READ_TIMEOUT = 60.0
"""Seconds; no call but an invocation takes as long."""
START_MARGIN = 60.0
"""Seconds that an invocation may take beyond the function's timeout: Lambda fetches the image and starts it first."""

_MAKING = ("Create", "Subscribe")
"""How the names of calls begin that make another one when they are made twice."""


class Aws:
    """One account and region, and the clients for it. Make it with `connect`."""

    def __init__(self, session: boto3.Session, region: str, endpoint: str | None) -> None:
        self.session = session
        self.region = region
        self.endpoint = endpoint
        self.partition = session.get_partition_for_region(region)
        self.account = ""
        self.caller = ""
        self.repeated: set[str] = set()
        """Creating calls that were made more than once, since an answer was lost or late: each may have made one."""
        self._thread = threading.local()
        self._invoking: dict[float, LambdaClient] = {}
        self._making = threading.Lock()
        session.events.register("before-call", self._note)
        session.events.register("after-call", self._note_attempts)
        check(session)

    @property
    def operation(self) -> str:
        """This thread's call under way, or its last one: what an error without an answer is about."""
        return str(getattr(self._thread, "operation", ""))

    def _note(self, model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's OperationModel
        self._thread.operation = f"{model.service_model.signing_name}:{model.name}"

    def _note_attempts(self, model: Any, parsed: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
        if parsed.get("ResponseMetadata", {}).get("RetryAttempts") and model.name.startswith(_MAKING):
            self.repeated.add(self.operation)

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """The ARN of `resource` in this account; IAM's have no region."""
        return f"arn:{self.partition}:{service}:{self.region if regional else ''}:{self.account}:{resource}"

    @cached_property
    def domain(self) -> str:
        """Where the names of this part of AWS's world end: `amazonaws.com`, `amazonaws.com.cn`, …"""
        partitions = create_loader().load_data("partitions")["partitions"]
        return next(str(part["outputs"]["dnsSuffix"]) for part in partitions if part["id"] == self.partition)

    @cached_property
    def sts(self) -> STSClient:
        return cast("STSClient", self._client("sts"))

    @cached_property
    def ecr(self) -> ECRClient:
        return cast("ECRClient", self._client("ecr"))

    @cached_property
    def iam(self) -> IAMClient:
        return cast("IAMClient", self._client("iam"))

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        return cast("CloudWatchLogsClient", self._client("logs"))

    @cached_property
    def lambda_(self) -> LambdaClient:
        return cast("LambdaClient", self._client("lambda"))

    @cached_property
    def apigateway(self) -> APIGatewayClient:
        return cast("APIGatewayClient", self._client("apigateway"))

    @cached_property
    def tagging(self) -> ResourceGroupsTaggingAPIClient:
        return cast("ResourceGroupsTaggingAPIClient", self._client("resourcegroupstaggingapi"))

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        return cast("CloudWatchClient", self._client("cloudwatch"))

    @cached_property
    def sns(self) -> SNSClient:
        return cast("SNSClient", self._client("sns"))

    @cached_property
    def budgets(self) -> BudgetsClient:
        """Where it is in the world, botocore knows: an account's budgets are of no region."""
        return cast("BudgetsClient", self._client("budgets"))

    @cached_property
    def pricing(self) -> PricingClient:
        """The Price List lives in few regions; it is no part of a deploy, so nobody waits for it."""
        near = {"eu": "eu-central-1", "ap": "ap-south-1"}.get(self.region[:2], "us-east-1")
        impatient = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=2, read_timeout=5)
        return cast("PricingClient", self._client("pricing", region_name=near, config=impatient))

    def invoking(self, seconds: float) -> LambdaClient:
        """A client to invoke a function with that takes so many seconds at most: it asks once.

        botocore would invoke anew when it has waited long enough, and the function would work, and cost, twice.
        """
        if seconds not in self._invoking:
            once = Config(
                retries={"mode": "standard", "total_max_attempts": 1},
                read_timeout=seconds + START_MARGIN,
                tcp_keepalive=True,  # nothing is heard in between, and gateways forget silent connections
            )
            self._invoking[seconds] = cast("LambdaClient", self._client("lambda", config=once))
        return self._invoking[seconds]

    def _client(self, service: str, *, region_name: str | None = None, config: Config | None = None) -> object:
        ours = Config(
            # A local cloud that does not answer at once is gone.
            retries={"mode": "standard", "total_max_attempts": 2 if self.endpoint else 5},
            connect_timeout=10,
            read_timeout=READ_TIMEOUT,
            user_agent_extra=f"lambdacap/{__version__}",
            # A company's proxy does not know our 127.0.0.1.
            proxies={} if self.endpoint else None,
        )
        config = ours.merge(config) if config else ours
        try:
            with self._making:  # sessions are not for several threads at once (boto3's guide: session and threads)
                return self.session.client(  # type: ignore[call-overload]
                    service, region_name=region_name, endpoint_url=self.endpoint, config=config
                )
        except (OSError, ValueError) as error:  # an address or a number in AWS's own variables that is none
            raise SettingsError(
                f"AWS's own settings cannot be used: {error}", hint="Look through the variables that begin with AWS_."
            ) from error


def connect(*, region: str | None, profile: str | None, endpoint: str | None, secret: str = LOCAL_KEY) -> Aws:
    """Sign in and learn which account it is: with the user's ordinary credentials, or at `endpoint` with its `secret`.

    Raises `CredentialsError`, or `SettingsError` for an unknown profile and a missing region.
    """
    with translated():
        if endpoint:
            session = boto3.Session(
                aws_access_key_id=LOCAL_KEY,
                aws_secret_access_key=secret,
                region_name=region or LOCAL_REGION,
                # A profile or file that is set for other work, and perhaps broken, is no matter here.
                botocore_session=BotocoreSession(
                    session_vars={
                        "profile": (None, None, None, None),
                        "config_file": (None, None, os.devnull, None),
                        "credentials_file": (None, None, os.devnull, None),
                    }
                ),
            )
        else:
            session = credentials(region, profile)
        aws = Aws(session, session.region_name, endpoint)
    try:
        with translated(aws):
            identity = aws.sts.get_caller_identity()
    except CredentialsError as error:
        if not endpoint and _known_elsewhere(aws, error):
            raise not_enabled(aws.region) from error
        raise
    aws.account, aws.caller = identity["Account"], identity["Arn"]
    if not re.fullmatch(r"[0-9]{12}", aws.account):  # it becomes a folder's name
        raise AwsError(f"AWS tells of an account {aws.account!r:.40}, which is none", operation=aws.operation)
    return aws


def _known_elsewhere(aws: Aws, error: CredentialsError) -> bool:
    """Whether credentials that a region does not know are good where every account of AWS may work."""
    cause = error.__cause__
    if not isinstance(cause, ClientError) or code(cause) not in UNKNOWN_CALLER:
        return False
    if aws.partition != "aws" or aws.region == _FIRST_REGION:
        return False
    try:
        aws.session.client("sts", region_name=_FIRST_REGION).get_caller_identity()
    except (ClientError, BotoCoreError):
        return False
    return True


def credentials(region: str | None, profile: str | None) -> boto3.Session:
    """A session with the user's ordinary credentials, fetched: whether AWS knows them is not asked.

    Raises `CredentialsError`, or `SettingsError` for an unknown profile and a missing region.
    """
    with translated():
        session = boto3.Session(profile_name=profile, region_name=region)
        if session.region_name is None:
            raise SettingsError("no AWS region is set", hint="Give one, for example --region eu-central-1.")
        found = session.get_credentials()
        if found is None:
            raise no_credentials()
        with warnings.catch_warnings():
            # Without a terminal a code for MFA would be asked for all the same, and be seen as it is typed.
            warnings.simplefilter("error", GetPassWarning)
            found.get_frozen_credentials()  # now, where it is known what fails
        return session


def partition_of(region: str) -> str:
    """The part of AWS's world that a region is in: `aws`, `aws-cn`, …: the second field of its ARNs."""
    return BotocoreSession().get_partition_for_region(region)


def regions(service: str) -> list[str]:
    """Where in the world the SDK knows a service; newer regions than the SDK are missing."""
    session = BotocoreSession()
    partitions = session.get_available_partitions()
    return sorted({region for part in partitions for region in session.get_available_regions(service, part)})


def ambient(profile: str | None) -> dict[str, tuple[str | None, str]]:
    """The region and profile that AWS's own settings name, each with where: what counts when we are told nothing.

    Raises `SettingsError` for an unknown profile.
    """
    with translated():
        session = BotocoreSession(profile=profile)
        session.get_scoped_config()  # which knows whether the profile exists
        region = session.get_config_variable("region")
    # botocore's order, which does not know the AWS_REGION of other tools.
    variable = next((name for name in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE") if os.environ.get(name)), None)
    used = session.profile or "default"
    where = "AWS_DEFAULT_REGION" if os.environ.get("AWS_DEFAULT_REGION") else f"AWS's settings of profile {used}"
    return {
        "region": (region, where if region else "not set"),
        "profile": (used, variable or "AWS's default"),
    }


@contextmanager
def translated(aws: Aws | None = None) -> Iterator[None]:
    """Turn botocore's exceptions into ours, naming the call that failed."""
    try:
        yield
    except ClientError as error:
        raise about_the_user(error) or refused(error, *((aws.operation, aws.caller) if aws else ("", ""))) from error
    except Exception as error:
        known = about_the_user(error)
        if known is not None:
            raise known from error
        if not isinstance(error, ANSWERS):
            raise  # our own defect, not AWS's
        operation = aws.operation if aws else ""
        if aws and aws.endpoint:
            raise LocalCloudError(
                f"the local cloud at {aws.endpoint} did not answer {operation}: {plain(str(error))}",
                hint="`lambdacap local status` says whether it runs; `lambdacap local start` starts it.",
            ) from error
        raise AwsError(
            f"AWS did not answer {operation}: {plain(str(error))}" if operation else plain(str(error)),
            operation=operation,
            hint="Check the network and the region, then run the same command again: it goes on where it was.",
        ) from error


def found(call: Callable[[], T], *missing: str) -> T | None:
    """What `call` returns, or None when it fails with one of the codes in `missing`."""
    try:
        return call()
    except ClientError as error:
        if code(error) in missing:
            return None
        raise
