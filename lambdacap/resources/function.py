"""The AWS Lambda function that runs the image."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from lambdacap.aws import code, found, retry, text
from lambdacap.events import Progress
from lambdacap.local.cloud import read_cloud
from lambdacap.resources.release import LIVE, go_live, release, rest, settle, start
from lambdacap.resources.resource import Change, Properties, Resource, Site, State, check_owner

PROXY_VARIABLE = "MINISTACK_LAMBDA_PROXY_URL"
"""Where MiniStack forwards the function's events instead of running a container (its documentation)."""

ROLE_LIMIT = 150.0
"""Seconds until a new role can be assumed at the latest: IAM is eventually consistent."""

_CODE = {"image", "architecture"}
"""Properties that UpdateFunctionCode sets; the others are UpdateFunctionConfiguration's."""


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
        check_owner(site, f"the Lambda function {site.name}", answer.get("Tags", {}))
        live = found(lambda: lambda_.get_function(FunctionName=site.name, Qualifier=LIVE), "ResourceNotFoundException")
        latest = _properties(answer)
        properties = _properties(live) if live else latest
        return _state(
            answer["Configuration"]["FunctionArn"],
            live["Configuration"]["Version"] if live else None,
            properties,
            {key: value for key, value in latest.items() if value != properties[key]},
        )

    def wanted(self, site: Site) -> Properties:
        resources, settings = site.deployment.resources, site.settings
        environment = {}
        if site.deployment.target == "local" and not settings.docker:
            environment[PROXY_VARIABLE] = read_cloud(settings.home).functions
        return {
            "image": resources.get("image", {}).get("uri"),
            "architecture": settings.architecture,
            "role": resources.get("role", {}).get("arn"),
            "memory": settings.memory,
            "timeout": settings.timeout,
            "environment": environment,
        }

    def create(self, site: Site) -> State:
        wanted: Any = self.wanted(site)
        created = retry(
            lambda: site.aws.lambda_.create_function(
                FunctionName=site.name,
                PackageType="Image",
                Code={"ImageUri": wanted["image"]},
                Architectures=[wanted["architecture"]],
                Role=wanted["role"],
                MemorySize=wanted["memory"],
                Timeout=wanted["timeout"],
                Environment={"Variables": wanted["environment"]},
                Description="made by lambdacap",
                Tags=site.tags,
            ),
            when=_role_not_ready,
            limit=ROLE_LIMIT,
            every=3,
            waiting=lambda s: site.report(Progress(self.kind, f"waiting for the role to become usable ({s:.0f} s)")),
            sleep=site.sleep,
        )
        settle(site)
        return _state(created["FunctionArn"], release(site, None), wanted)

    def change(self, site: Site, state: State | None) -> Change:
        """What differs in the live version, and what was changed in the function without being published."""
        change = super().change(site, state)
        if state is None:
            return change
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
        wanted: Any = self.wanted(site)
        self._put(site, {**state.properties, **_unpublished(state)}, wanted)
        live: Any = state.properties.get(LIVE)
        if live is None or any(state.properties[key] != wanted[key] for key in wanted):
            live = release(site, live)
        return _state(state.identity["arn"], live, wanted)

    def go_back(self, site: Site, state: State, version: str) -> State:
        """Make `version` live again, then the function itself as it is: the next deploy starts from there."""
        live: Any = state.properties[LIVE]
        start(site, version, live)
        go_live(site, version, live)
        answer = site.aws.lambda_.get_function(FunctionName=site.name, Qualifier=version)
        self._put(site, {**state.properties, **_unpublished(state)}, _properties(answer))
        return _state(state.identity["arn"], version, _properties(answer))

    def remove(self, site: Site, state: State) -> None:  # noqa: ARG002 - its name is its identity
        found(lambda: site.aws.lambda_.delete_function(FunctionName=site.name), "ResourceNotFoundException")

    def _put(self, site: Site, latest: Properties, wanted: Any) -> None:  # noqa: ANN401 - `Properties`, by name
        """Code and configuration are two calls, and Lambda takes the second only when the first is through."""
        differing = {key for key, value in wanted.items() if latest[key] != value}
        if differing & _CODE:
            rest(site)
            site.aws.lambda_.update_function_code(
                FunctionName=site.name, ImageUri=wanted["image"], Architectures=[wanted["architecture"]]
            )
        if differing - _CODE:
            rest(site)
            site.aws.lambda_.update_function_configuration(
                FunctionName=site.name,
                Role=wanted["role"],
                MemorySize=wanted["memory"],
                Timeout=wanted["timeout"],
                Environment={"Variables": wanted["environment"]},
            )
        settle(site)


def _properties(answer: Any) -> dict[str, object]:  # noqa: ANN401 - GetFunction's answer
    configuration = answer["Configuration"]
    return {
        "image": answer["Code"].get("ImageUri"),
        "architecture": configuration.get("Architectures", ["x86_64"])[0],
        "role": configuration["Role"],
        "memory": configuration["MemorySize"],
        "timeout": configuration["Timeout"],
        "environment": configuration.get("Environment", {}).get("Variables", {}),
    }


def _state(arn: str, live: str | None, properties: Properties, unpublished: Properties | None = None) -> State:
    version = {"version": live} if live else {}
    return State(
        {"arn": arn, **version}, {**properties, **({LIVE: live} if live else {}), "unpublished": unpublished or {}}
    )


def _unpublished(state: State) -> Properties:
    unpublished: Any = state.properties["unpublished"]
    return dict(unpublished)


def _role_not_ready(error: ClientError) -> bool:
    return code(error) == "InvalidParameterValueException" and "cannot be assumed by Lambda" in text(error)
