"""The AWS Lambda function that runs the image."""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from lambdacap.aws.clients import code, found, retry, text
from lambdacap.errors import AwsError
from lambdacap.events import Progress, Warned
from lambdacap.local.note import FUNCTION_PROCESS
from lambdacap.resources.function.release import LATEST, LIVE, go_live, release, rest, settle, start, unhindered
from lambdacap.resources.log_group import log_group_name
from lambdacap.resources.resource import Change, Properties, Resource, Site, State, check_owner
from lambdacap.resources.role import Role, role_name

T = TypeVar("T")
ORIGIN_VARIABLE = "CORS_ORIGIN"
"""What the handler lets pages of other origins read its answers by."""
PROXY_VARIABLE = "MINISTACK_LAMBDA_PROXY_URL"
"""Where MiniStack sends the function's events instead of running a container (its documentation)."""

ROLE_LIMIT = 150.0
"""Seconds until a new role can be assumed at the latest: IAM is eventually consistent."""

ORPHANED = "of a role that is gone"
"""A function's state once the role was made anew under the same name: Lambda lets the old one alone read its variables,
by a grant to the role's unique id."""
_CODE = {"state", "image", "architecture"}
"""Properties that UpdateFunctionCode sets or mends; the others are UpdateFunctionConfiguration's."""
_LOST = ("Failed", ORPHANED)
"""States in which a function stays until it is deleted."""
_MADE_FOR = re.compile(r"for the role (\w+)")
_MEMORY_CAP = re.compile(r"MemorySize.* less than or equal to (\d+)")


class Function(Resource):
    """`properties` are those of the live version; `unpublished` is where the function itself differs from it."""

    kind = "function"
    title = "Lambda function"
    step = "create-function"

    def find(self, site: Site) -> State | None:
        lambda_ = site.aws.lambda_
        answer = found(lambda: lambda_.get_function(FunctionName=site.name), "ResourceNotFoundException")
        if answer is None:
            return None
        if "TagsError" in answer:
            raise AwsError(
                f"the tags of the function {site.name} may not be seen: {answer['TagsError']['Message']}",
                operation="lambda:ListTags",
                code=answer["TagsError"]["ErrorCode"],
                hint=f"{site.aws.caller} needs the permission lambda:ListTags; `lambdacap policy` prints all.",
            )
        check_owner(site, f"the Lambda function {site.name}", answer.get("Tags", {}))
        live = found(lambda: lambda_.get_function(FunctionName=site.name, Qualifier=LIVE), "ResourceNotFoundException")
        latest = _properties(answer)
        if _is_orphaned(site, answer["Configuration"]):
            latest["state"] = ORPHANED
        properties = _properties(live) if live else latest
        return _state(
            answer["Configuration"]["FunctionArn"],
            live["Configuration"]["Version"] if live else None,
            properties,
            {key: value for key, value in latest.items() if value != properties[key]},
        )

    def wanted(self, site: Site) -> Properties:
        resources, settings = site.deployment.resources, site.settings
        environment = {} if settings.origin == "*" else {ORIGIN_VARIABLE: settings.origin}
        if site.deployment.target == "local" and not settings.docker:
            environment[PROXY_VARIABLE] = FUNCTION_PROCESS
        return {
            "state": "Active",
            "image": resources.get("image", {}).get("uri"),
            "architecture": settings.architecture,
            "role": site.aws.arn("iam", f"role/{role_name(site)}", regional=False),
            "memory": settings.memory,
            "timeout": settings.timeout,
            "storage": settings.storage,
            "environment": environment,
            "logging": {"format": "Text", "group": log_group_name(site)},
        }

    def create(self, site: Site) -> State:
        wanted: Any = self.wanted(site)
        created, memory = _capped(
            site,
            wanted["memory"],
            lambda memory: retry(
                lambda: site.aws.lambda_.create_function(
                    FunctionName=site.name,
                    PackageType="Image",
                    Code={"ImageUri": wanted["image"]},
                    Architectures=[wanted["architecture"]],
                    Role=wanted["role"],
                    MemorySize=memory,
                    Timeout=wanted["timeout"],
                    EphemeralStorage={"Size": wanted["storage"]},
                    Environment={"Variables": wanted["environment"]},
                    Description=_description(site),
                    Tags=site.tags,
                ),
                when=_not_ready,
                limit=ROLE_LIMIT,
                every=3,
                waiting=lambda spent, _: site.report(
                    Progress(self.kind, f"waiting for the role to become usable ({spent:.0f} s)")
                ),
                sleep=site.sleep,
            ),
        )
        settle(site)
        return _state(created["FunctionArn"], release(site, None), {**wanted, "memory": memory})

    def left(self, state: State, anew: Set[str]) -> State | None:
        if Role.kind in anew and _has_secrets(state.properties["environment"]):
            return State(state.identity, {**state.properties, "state": ORPHANED})
        return state

    def change(self, site: Site, state: State | None) -> Change:
        """What differs in the live version, and what was changed in the function without being published."""
        change = super().change(site, state)
        if state is None:
            return change
        if _is_lost(state):
            return Change(self.kind, "create", change.differences)
        wanted, unpublished = self.wanted(site), _unpublished(state)
        differences: dict[str, tuple[object, object]] = {
            key: (value, wanted[key]) for key, value in unpublished.items() if value != wanted[key]
        }
        differences |= change.differences
        if LIVE not in state.properties:
            differences[LIVE] = (None, "a published version")
        return Change(self.kind, "update" if differences else "keep", differences)

    def update(self, site: Site, state: State, change: Change) -> State:  # noqa: ARG002 - here the sides are two
        """Bring the function to what is wanted, and release that unless it is live already."""
        latest, wanted = {**state.properties, **_unpublished(state)}, self.wanted(site)
        if _is_lost(state):
            # Lambda's guide on states: what it could not create has to be deleted and created anew.
            self.remove(site, state)
            return self.create(site)
        wanted = {**wanted, "memory": self._put(site, latest, wanted)}
        live: Any = state.properties.get(LIVE)
        differing = {key for key in wanted if state.properties[key] != wanted[key]}
        if live is None or differing - {"state"}:
            live = release(site, live)
        elif differing:
            start(site, live, None)
        return _state(state.identity["arn"], live, wanted)

    def go_back(self, site: Site, state: State, version: str) -> State:
        """Make `version` live again, then the function itself as it is: the next deploy starts from there."""
        live: Any = state.properties[LIVE]
        start(site, version, live)
        go_live(site, version, live)
        answer = site.aws.lambda_.get_function(FunctionName=site.name, Qualifier=version)
        wanted = {**_properties(answer), "state": "Active"}
        self._put(site, {**state.properties, **_unpublished(state)}, wanted)
        return _state(state.identity["arn"], version, wanted)

    def remove(self, site: Site, state: State) -> None:  # noqa: ARG002 - its name is its identity
        found(lambda: site.aws.lambda_.delete_function(FunctionName=site.name), "ResourceNotFoundException")

    def _put(self, site: Site, latest: Properties, wanted: Any) -> int:  # noqa: ANN401 - `Properties`, by name
        """Code and configuration are two calls, and Lambda takes the second only when the first is through.

        Returns the MB of memory that it granted.
        """
        lambda_, memory = site.aws.lambda_, wanted["memory"]
        differing = {key for key, value in wanted.items() if latest[key] != value}
        if differing & _CODE:
            rest(site)
            unhindered(
                site,
                lambda: lambda_.update_function_code(
                    FunctionName=site.name, ImageUri=wanted["image"], Architectures=[wanted["architecture"]]
                ),
            )
        if differing - _CODE:
            rest(site)
            _, memory = _capped(
                site,
                memory,
                lambda memory: unhindered(
                    site,
                    lambda: lambda_.update_function_configuration(
                        FunctionName=site.name,
                        Role=wanted["role"],
                        MemorySize=memory,
                        Timeout=wanted["timeout"],
                        EphemeralStorage={"Size": wanted["storage"]},
                        Environment={"Variables": wanted["environment"]},
                        Description=_description(site),
                        LoggingConfig={
                            "LogFormat": wanted["logging"]["format"],
                            "LogGroup": wanted["logging"]["group"],
                        },
                    ),
                ),
            )
        settle(site)
        return int(memory)


def _properties(answer: Any) -> dict[str, object]:  # noqa: ANN401 - GetFunction's answer
    configuration = answer["Configuration"]
    logging = configuration.get("LoggingConfig", {})
    return {
        "state": _state_of(configuration),
        "image": answer["Code"].get("ImageUri"),
        "architecture": configuration.get("Architectures", ["x86_64"])[0],
        "role": configuration["Role"],
        "memory": configuration["MemorySize"],
        "timeout": configuration["Timeout"],
        "storage": configuration.get("EphemeralStorage", {}).get("Size", 512),
        "environment": configuration.get("Environment", {}).get("Variables", {}),
        "logging": {
            "format": logging.get("LogFormat", "Text"),
            "group": logging.get("LogGroup", f"/aws/lambda/{configuration['FunctionName']}"),
        },
    }


def _state(arn: str, live: str | None, properties: Properties, unpublished: Properties | None = None) -> State:
    version = {"version": live} if live else {}
    return State(
        {"arn": arn, **version}, {**properties, **({LIVE: live} if live else {}), "unpublished": unpublished or {}}
    )


def _unpublished(state: State) -> Properties:
    unpublished: Any = state.properties["unpublished"]
    return dict(unpublished)


def _is_lost(state: State) -> bool:
    """Whether the function, or the version of it that answers, is past mending."""
    return state.properties["state"] in _LOST or _unpublished(state).get("state") in _LOST


def _description(site: Site) -> str:
    role = site.deployment.resources.get(Role.kind, {}).get("id")
    return "made by lambdacap" + (f" for the role {role}" if role else "")


def _is_orphaned(site: Site, configuration: Any) -> bool:  # noqa: ANN401 - a FunctionConfiguration
    """Whether its role was made anew since, by a run that was cut short before it came to the function, perhaps."""
    made_for = _MADE_FOR.search(configuration.get("Description", ""))
    role = site.deployment.resources.get(Role.kind, {}).get("id")
    variables = configuration.get("Environment", {}).get("Variables", {})
    return bool(made_for and role and made_for[1] != role and _has_secrets(variables))


def _has_secrets(variables: Any) -> bool:  # noqa: ANN401 - a mapping, as a property holds it
    """Whether there are variables that Lambda keeps encrypted: the local cloud's own is none."""
    return bool(variables.keys() - {PROXY_VARIABLE})


def _state_of(configuration: Any) -> str:  # noqa: ANN401 - a FunctionConfiguration
    """Active, Inactive (long idle, or Lambda has lost the image), Failed (never came up), or "update failed"."""
    if configuration.get("State") == "Failed":
        return "Failed"
    if configuration.get("LastUpdateStatus") == "Failed":
        return "update failed"
    # Nobody calls the function but by its live version, so the rest of it falls asleep on its own.
    return "Inactive" if configuration.get("State") == "Inactive" and configuration["Version"] != LATEST else "Active"


def _not_ready(error: ClientError) -> bool:
    """IAM spreads a new role, and ECR a new policy, within a while."""
    return (code(error) == "InvalidParameterValueException" and "cannot be assumed by Lambda" in text(error)) or (
        "permission to access the ECR image" in text(error)
    )


def _capped(site: Site, memory: int, put: Callable[[int], T]) -> tuple[T, int]:
    """What `put` returns with `memory` MB, or with the most that this account has; and which of the two it was."""
    try:
        return put(memory), memory
    except ClientError as error:
        cap = _MEMORY_CAP.search(text(error))
        if cap is None or int(cap[1]) >= memory:
            raise
    granted = int(cap[1])
    site.report(
        Warned(
            f"this account's functions get {granted} MB at most, not {memory}: going on with {granted} "
            "(AWS raises that quota on request)"
        )
    )
    return put(granted), granted
