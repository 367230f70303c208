"""The AWS Lambda function that runs the image."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError, WaiterError

from lambdacap.aws import code, found, retry, text
from lambdacap.errors import AwsError
from lambdacap.events import Progress
from lambdacap.local.cloud import read_cloud
from lambdacap.resources.resource import Change, Properties, Resource, Site, State, check_owner

PROXY_VARIABLE = "MINISTACK_LAMBDA_PROXY_URL"
"""Where MiniStack forwards the function's events instead of running a container (its documentation)."""

ROLE_LIMIT = 150.0
"""Seconds until a new role can be assumed at the latest: IAM is eventually consistent."""

_REASONS = {
    "ImageAccessDenied": "Lambda may not pull the image: run `lambdacap deploy`, which mends the repository's policy.",
    "ImageDeleted": "The image is gone from the repository: run `lambdacap deploy`, which pushes it again.",
    "InvalidImage": "The image is not one that Lambda can run: build it from the Dockerfile that lambdacap ships.",
    "FunctionError.InitTimeout": "Loading the model takes too long: give more --memory, which also gives more CPU.",
    "FunctionError.InvalidEntryPoint": "The image's entry point does not start: check ENTRYPOINT and CMD.",
    "FunctionError.InvalidWorkingDirectory": "The image's WORKDIR does not exist: check the Dockerfile.",
}


class Function(Resource):
    kind = "function"
    title = "Lambda function"
    step = "create-function"

    def find(self, site: Site) -> State | None:
        lambda_ = site.aws.lambda_
        answer = found(lambda: lambda_.get_function(FunctionName=site.name), "ResourceNotFoundException")
        if answer is None:
            return None
        check_owner(site, f"the Lambda function {site.name}", answer.get("Tags", {}))
        configuration = answer["Configuration"]
        return State(
            {"arn": configuration["FunctionArn"]},
            {
                "image": answer["Code"].get("ImageUri"),
                "architecture": configuration.get("Architectures", ["x86_64"])[0],
                "role": configuration["Role"],
                "memory": configuration["MemorySize"],
                "timeout": configuration["Timeout"],
                "environment": configuration.get("Environment", {}).get("Variables", {}),
            },
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
        )
        self._settle(site, "function_active_v2")
        return State({"arn": created["FunctionArn"]}, wanted)

    def update(self, site: Site, state: State, change: Change) -> State:
        """Code and configuration are two calls, and Lambda takes the second only when the first is through."""
        wanted: Any = self.wanted(site)
        if change.differences.keys() & {"image", "architecture"}:
            site.aws.lambda_.update_function_code(
                FunctionName=site.name, ImageUri=wanted["image"], Architectures=[wanted["architecture"]]
            )
            self._settle(site, "function_updated_v2")
        if change.differences.keys() & {"role", "memory", "timeout", "environment"}:
            site.aws.lambda_.update_function_configuration(
                FunctionName=site.name,
                Role=wanted["role"],
                MemorySize=wanted["memory"],
                Timeout=wanted["timeout"],
                Environment={"Variables": wanted["environment"]},
            )
            self._settle(site, "function_updated_v2")
        return State(state.identity, wanted)

    def remove(self, site: Site, state: State) -> None:  # noqa: ARG002 - its name is its identity
        found(lambda: site.aws.lambda_.delete_function(FunctionName=site.name), "ResourceNotFoundException")

    def _settle(self, site: Site, waiter: Any) -> None:  # noqa: ANN401 - boto3's stubs want literals
        site.report(Progress(self.kind, "waiting for Lambda to take it over"))
        try:
            site.aws.lambda_.get_waiter(waiter).wait(
                FunctionName=site.name, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
            )
        except WaiterError as error:
            raise _failed(site.name, error.last_response) from error


def _role_not_ready(error: ClientError) -> bool:
    return code(error) == "InvalidParameterValueException" and "cannot be assumed by Lambda" in text(error)


def _failed(name: str, answer: Any) -> AwsError:  # noqa: ANN401 - GetFunction's answer, or an error's
    configuration: dict[str, str] = answer.get("Configuration", {})
    failed_update = configuration.get("LastUpdateStatus") == "Failed"
    reason = configuration.get("LastUpdateStatusReasonCode" if failed_update else "StateReasonCode", "")
    words = configuration.get("LastUpdateStatusReason" if failed_update else "StateReason", "no reason given")
    return AwsError(
        f"Lambda could not bring the function {name} up: {words}" + (f" ({reason})" if reason else ""),
        operation="lambda:GetFunction",
        code=reason,
        hint=_REASONS.get(reason, "Run `lambdacap deploy` again; it goes on where it was."),
    )
