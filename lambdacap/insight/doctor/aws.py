"""What would stop a deploy on AWS: who is asking and what he may, the clock, quotas, what is there already."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from lambdacap.aws.clients import Aws, ambient, code, connect, found, regions, text, translated
from lambdacap.deployment.record import Records, follow
from lambdacap.errors import LambdacapError
from lambdacap.events import Progress, Report, silent
from lambdacap.insight import health, policy
from lambdacap.insight.doctor.finding import FAIL, OK, WARN, Finding, tried
from lambdacap.insight.policy import Scope, Statement
from lambdacap.local import cloud
from lambdacap.operations import deploy
from lambdacap.operations.deploy import Survey
from lambdacap.operations.status import Status
from lambdacap.settings import Settings

SKEW_WARN, SKEW_FAIL = 60, 300
"""Seconds between the clocks; AWS takes signatures for five minutes (IAM's guide: signing requests)."""
NEW_ACCOUNT_CONCURRENCY = 10
NEW_ACCOUNT_MEMORY = 3008
LEFT_UNRESERVED = 100
"""What PutFunctionConcurrency leaves to the account's other functions; of a smaller account it leaves all."""


def examine(settings: Settings, report: Report) -> Generator[Finding, None, Survey | None]:
    """Sign in, and go on as far as that goes. Returns what there is and what a deploy would do, if it could be seen."""
    if settings.local:
        return (yield from _deployment(settings)) if cloud.running(settings.home) else None
    try:
        settings = follow(settings, Records(settings.home), "aws")
    except LambdacapError as error:
        yield Finding("deployment", FAIL, error.message, error.hint)
        return None
    report(Progress("doctor", "region"))
    found = list(tried("region", lambda: _region(settings), FAIL))
    yield from found
    if found[-1].level == FAIL:
        return None
    report(Progress("doctor", "credentials"))
    try:
        aws = connect(region=settings.region, profile=settings.profile, endpoint=None)
    except LambdacapError as error:
        yield from _refused(error)
        return None
    yield from _credentials(aws)
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "clock": lambda: _clock(aws),
        "quotas": lambda: _quotas(aws, settings),
        "permissions": lambda: _permissions(aws, settings),
    }
    for check, look in checks.items():
        report(Progress("doctor", check))
        yield from tried(check, look)
    report(Progress("doctor", "deployment"))
    return (yield from _deployment(settings))


def _region(settings: Settings) -> Iterator[Finding]:
    """Whether there is one, and the SDK has heard of it."""
    region, source = (settings.region, "given") if settings.region else ambient(settings.profile)["region"]
    if region is None:
        yield Finding("region", FAIL, "no AWS region is set", "Give one, for example --region eu-central-1.")
    elif region in (known := regions("lambda")):
        yield Finding("region", OK, f"{region} ({source})")
    else:
        near = difflib.get_close_matches(region, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else ""
        yield Finding("region", WARN, f"the AWS SDK knows no Lambda in {region}", hint)


def _refused(error: LambdacapError) -> Iterator[Finding]:
    """Why signing in failed: the clock may be the reason, which a wrong signature hides."""
    cause = error.__cause__
    if isinstance(cause, ClientError):
        yield from _skew(cause.response)
    yield Finding("credentials", FAIL, error.message, error.hint)


def _credentials(aws: Aws) -> Iterator[Finding]:
    words = f"{aws.caller} in account {aws.account}"
    if aws.caller.endswith(":root"):
        yield Finding(
            "credentials",
            WARN,
            f"{words}: the account's root",
            "Make a user that may no more than `lambdacap policy` prints.",
        )
    else:
        yield Finding("credentials", OK, words)


def _clock(aws: Aws) -> Iterator[Finding]:
    with translated(aws):
        answer: Any = aws.sts.get_caller_identity()
    yield from _skew(answer)


def _skew(answer: Any) -> Iterator[Finding]:  # noqa: ANN401 - any answer of botocore's
    """This machine's clock against the date on AWS's answer."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if not date:
        yield Finding("clock", WARN, "AWS's answer bears no date to compare with")
        return
    seconds = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
    away = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} AWS's"
    level = FAIL if abs(seconds) > SKEW_FAIL else WARN if abs(seconds) > SKEW_WARN else OK
    hint = (
        "Set this machine's clock, for example with `timedatectl set-ntp true`: AWS refuses what is signed too far off."
    )
    yield Finding("clock", level, f"this clock is {away}", "" if level == OK else hint)


def _quotas(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Concurrency can be asked. The cap on memory cannot; accounts that are new have both."""
    with translated(aws):
        limits = aws.lambda_.get_account_settings()["AccountLimit"]
    total, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    words = f"{total} concurrent executions, {free} of them unreserved"
    reserved = settings.reserved_concurrency or 0
    kept = min(LEFT_UNRESERVED, total)
    more = reserved - _reserved(aws, settings.name) if reserved and free - reserved < kept else 0
    if more > 0 and free - more < kept:
        yield Finding(
            "reserved concurrency",
            WARN,
            f"{words}: {more} more cannot be reserved, since AWS keeps at least {kept} for all",
            "Service Quotas raises the account's number; a deploy goes on without reserving.",
        )
    if total > NEW_ACCOUNT_CONCURRENCY:
        yield Finding("concurrency", OK, words)
        return
    yield Finding("concurrency", WARN, f"{words}: as of a new account", "Service Quotas raises it, in the console.")
    if settings.memory > NEW_ACCOUNT_MEMORY:
        yield Finding(
            "memory",
            WARN,
            f"new accounts may have a cap of {NEW_ACCOUNT_MEMORY} MB, which AWS tells nobody; wanted are "
            f"{settings.memory} MB",
            f"A deploy falls back on {NEW_ACCOUNT_MEMORY} MB.",
        )


def _reserved(aws: Aws, function: str) -> int:
    """What the deployment's function has reserved already: that is no longer among the unreserved."""
    with translated(aws):
        answer = found(lambda: aws.lambda_.get_function_concurrency(FunctionName=function), "ResourceNotFoundException")
    return answer.get("ReservedConcurrentExecutions", 0) if answer else 0


def _permissions(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Whether the caller may all that `lambdacap policy` prints, by IAM's own simulator."""
    if aws.caller.endswith(":root"):
        yield Finding("permissions", OK, "the account's root may everything")
        return
    boundary, signed = settings.boundary, settings.auth == "iam"
    scope = Scope(settings.name, aws.region, aws.account, aws.partition, boundary, signed)
    denied = []
    with translated(aws):
        try:
            for statement in policy.statements(scope):
                denied += _denied(aws, statement)
        except ClientError as error:
            yield Finding(
                "permissions",
                WARN,
                f"IAM's simulator may not be asked: {text(error) or code(error)}",
                "Allow iam:SimulatePrincipalPolicy to know beforehand; `lambdacap policy` prints what is needed.",
            )
            return
    if denied:
        words = f"{aws.caller} may not: {', '.join(sorted(denied))}"
        yield Finding("permissions", FAIL, words, "`lambdacap policy` prints the policy that is needed.")
    else:
        yield Finding("permissions", OK, "all that `lambdacap policy` prints")


def _denied(aws: Aws, statement: Statement) -> list[str]:
    """The actions of a statement that the caller may not. One call for those that share a resource."""
    groups: dict[str, list[str]] = {}
    for action, resources in statement.pairs():
        groups.setdefault(resources[0].replace("/*", "/x").replace("${*}", "*"), []).append(action)
    context: Any = [
        {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
        for keys in statement.condition.values()
        for key, value in keys.items()
    ]
    denied = []
    for resource, actions in groups.items():
        answer = aws.iam.simulate_principal_policy(
            PolicySourceArn=_identity(aws), ActionNames=actions, ResourceArns=[resource], ContextEntries=context
        )
        results = answer["EvaluationResults"]
        denied += [result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"]
    return denied


def _identity(aws: Aws) -> str:
    """The simulator takes a role where STS names its session: `assumed-role/ROLE/SESSION`, without the role's path."""
    kind, _, rest = aws.caller.rpartition(":")[2].partition("/")
    if kind != "assumed-role":
        return aws.caller
    name = rest.partition("/")[0]
    answer = found(lambda: aws.iam.get_role(RoleName=name), "AccessDenied", "NoSuchEntity")
    return answer["Role"]["Arn"] if answer else aws.arn("iam", f"role/{name}", regional=False)


def _deployment(settings: Settings) -> Generator[Finding, None, Survey | None]:
    """What is there already under the name, and how it does."""
    try:
        survey = deploy.survey(settings, silent)
    except LambdacapError as error:
        yield Finding("deployment", FAIL, error.message, error.hint)
        return None
    yield from tried("deployment", lambda: _state(survey))
    return survey


def _state(survey: Survey) -> Iterator[Finding]:
    name = survey.settings.name
    missing = [kind for kind, state in survey.states.items() if state is None]
    if survey.site is None or len(missing) == len(survey.states):
        yield Finding("deployment", OK, f"nothing named {name} yet")
        return
    if missing:
        words = f"{name} is unfinished: {', '.join(missing)} missing"
        yield Finding("deployment", WARN, words, "A deploy finishes it.")
        return
    changes = {change.kind: change for change in survey.changes}
    differing = [kind for kind, change in changes.items() if change.action != "keep"]
    words = f"{name} is there" + (f"; a deploy would update: {', '.join(differing)}" if differing else "")
    complaints = health.examine(survey.site, Status(survey.site.deployment, survey.states, changes)).complaints
    if complaints:
        yield Finding("deployment", WARN, f"{words}; {'; '.join(complaints)}", "`lambdacap status` says more.")
    else:
        yield Finding("deployment", OK, words)
