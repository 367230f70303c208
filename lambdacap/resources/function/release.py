"""Which version of the function answers: published, started once, and only then named `live`.

The gateway calls the alias `live`, so a new image or setting reaches callers in the moment in which the alias
moves, and not before the new version has answered. The one before it is kept, whole, to go back to.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lambdacap.aws.answer import payload as payload_of
from lambdacap.aws.clients import code, found, moments, retry, text
from lambdacap.errors import AwsError
from lambdacap.events import Progress
from lambdacap.projects import trace
from lambdacap.resources.image import prune
from lambdacap.settings.places import is_project

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambdacap.resources.resource import Site

T = TypeVar("T")
LIVE = "live"
LATEST = "$LATEST"
WARM_EVENT = {"warm": True}
"""What the handler answers without a picture: the model is loaded, the function works."""
SETTLE_LIMIT = 300.0
"""Seconds that Lambda may take to bring a function or version up: it copies the image first."""
BUSY_LIMIT = 30.0
"""Seconds that a first start waits while as many executions run as may."""

_KIND = "function"
_BEFORE = re.compile(r"before it: version (\d+)")
_UNREADABLE = "Lambda cannot decrypt the function's variables: let it use the key again, or take another key."
_REASONS = {
    "ImageAccessDenied": "Lambda may not pull the image: run `lambdacap deploy`, which mends the repository's policy.",
    "ImageDeleted": "The image is gone from the repository: run `lambdacap deploy`, which pushes it again.",
    "InvalidImage": "The image is not one that Lambda can run: build it from the Dockerfile that lambdacap ships.",
    "FunctionError.InitTimeout": "Loading the model takes too long: give more --memory, which also gives more CPU.",
    "FunctionError.InvalidEntryPoint": "The image's entry point does not start: check ENTRYPOINT and CMD.",
    "FunctionError.InvalidWorkingDirectory": "The image's WORKDIR does not exist: check the Dockerfile.",
    "FunctionError.PermissionDenied": "The image's entry point may not be run: check the rights of its files.",
    "FunctionError.RuntimeInitError": "The handler does not start: run the image locally, with `deploy --local`.",
    "FunctionError.InitResourceExhausted": "The model does not fit: give more --memory.",
    "FunctionError": "The handler does not start: run the image locally, with `deploy --local`.",
    "InsufficientRolePermissions": "The function's role was changed: run `lambdacap deploy`, which mends it.",
    "KMSKeyAccessDenied": _UNREADABLE,
    "KMSKeyNotFound": _UNREADABLE,
    "DisabledKMSKey": _UNREADABLE,
    "InvalidStateKMSKey": _UNREADABLE,
    "InternalError": "That is AWS's own failure: run `lambdacap deploy` again in some minutes.",
}


@dataclass(frozen=True)
class Release:
    """The version that answers, and the one that did before it, if it is still there."""

    version: str
    previous: str | None


def find_release(site: Site) -> Release | None:
    """What the alias says, or None when nothing is live yet."""
    alias = found(lambda: site.aws.lambda_.get_alias(FunctionName=site.name, Name=LIVE), "ResourceNotFoundException")
    if alias is None:
        return None
    live, noted = alias["FunctionVersion"], _BEFORE.search(alias.get("Description", ""))
    there = versions(site)
    if noted and noted[1] in there:
        return Release(live, noted[1])
    older = [version for version in there if version.isdigit() and int(version) < int(live)] if live.isdigit() else []
    return Release(live, older[-1] if older else None)


def release(site: Site, live: str | None) -> str:
    """Publish the function as it is, start it, make it the live one instead of `live`, and tidy up behind it.

    Returns the new version's number. Raises `AwsError` when it does not start: then `live` goes on answering.
    """
    site.report(Progress(_KIND, "publishing a version"))
    version = unhindered(site, lambda: site.aws.lambda_.publish_version(FunctionName=site.name))["Version"]
    try:
        start(site, version, live)
    except AwsError:
        if version != live:
            _delete(site, version)
        raise
    go_live(site, version, live)
    return version


def go_live(site: Site, version: str, before: str | None) -> None:
    """Remove what neither `version` nor `before` needs, move the alias to `version`, and note `before` there."""
    lambda_ = site.aws.lambda_
    alias: Any = {
        "FunctionName": site.name,
        "Name": LIVE,
        "FunctionVersion": version,
        "Description": f"moved by lambdacap; before it: version {before}" if before else "made by lambdacap",
    }
    # First, since a run that is cut short before the alias moves does all of this again, and one after it nothing.
    for old in versions(site):
        if old not in (version, before):
            _delete(site, old)
    kept = [lambda_.get_function(FunctionName=site.name, Qualifier=number)["Code"] for number in versions(site)]
    # One that somebody made of an image by its tag says the digest in the other.
    prune(site, {code[key] for code in kept for key in ("ImageUri", "ResolvedImageUri") if key in code})
    # Without weights: no share of the callers goes elsewhere.
    alone: Any = {"AdditionalVersionWeights": {}}
    if found(lambda: lambda_.update_alias(**alias, RoutingConfig=alone), "ResourceNotFoundException") is None:
        # It is there when the answer was lost and botocore asked again.
        found(lambda: lambda_.create_alias(**alias), "ResourceConflictException")
    site.report(Progress(_KIND, f"version {version} is live"))


def versions(site: Site) -> list[str]:
    """The numbers of the published versions, oldest first."""
    pages = site.aws.lambda_.get_paginator("list_versions_by_function").paginate(FunctionName=site.name)
    numbers = [entry["Version"] for page in pages for entry in page["Versions"] if entry["Version"] != LATEST]
    return sorted(numbers, key=int)


def start(site: Site, version: str, live: str | None) -> None:
    """Invoke `version` once, directly: what fails is seen now, and the first caller meets a loaded model.

    Raises `AwsError` when it fails, and says that `live` goes on.
    """
    seconds: Any = settle(site, version)["Timeout"]
    site.report(Progress(_KIND, f"first start of version {version}"))
    event = json.dumps(WARM_EVENT).encode()
    invoking = site.aws.invoking(seconds)
    answer = retry(
        lambda: unhindered(site, lambda: invoking.invoke(FunctionName=site.name, Qualifier=version, Payload=event)),
        # Refused, not begun: others' calls take all executions that the account or the reservation has.
        when=lambda error: code(error) == "TooManyRequestsException",
        limit=BUSY_LIMIT,
        every=3,
        waiting=lambda spent, _: site.report(Progress(_KIND, f"waiting for an execution to be free ({spent:.0f} s)")),
        sleep=site.sleep,
    )
    payload = payload_of(answer)
    if answer.get("FunctionError"):
        image = site.settings.image
        reason = trace.of_report(payload, image) if is_project(image) else _told(payload)
        raise AwsError(
            f"version {version} of the function {site.name} fails when it starts: {reason}; "
            + (f"version {live} goes on answering" if live else "nothing has gone live"),
            operation="lambda:Invoke",
            hint=f"Its log is /aws/lambda/{site.name}; correct the image and deploy again.",
        )


def _told(payload: object) -> object:
    """What a function says of its failure: the exception, with its kind, since the text of many is but a word."""
    if not isinstance(payload, dict):
        return payload
    kind, words = payload.get("errorType"), payload.get("errorMessage", payload)
    return f"{kind}: {words}" if kind and not str(kind).startswith(("Runtime.", "Sandbox.")) else words


def unhindered(site: Site, call: Callable[[], T]) -> T:
    """What `call` returns once Lambda is not busy with another change, or with waking what was long idle."""
    return retry(
        call,
        when=lambda error: (
            code(error) == "CodeArtifactUserPendingException"
            or (code(error) == "ResourceConflictException" and "cannot be performed at this time" in text(error))
        ),
        limit=SETTLE_LIMIT,
        every=2,
        waiting=lambda spent, _: site.report(
            Progress(_KIND, f"waiting for Lambda to finish with another change ({spent:.0f} s)")
        ),
        sleep=site.sleep,
    )


def settle(site: Site, version: str = LATEST) -> Mapping[str, str]:
    """Wait until Lambda has taken a change over, and return the configuration.

    Raises `AwsError` with its reason when it cannot.
    """
    configuration = rest(site, version)
    if "Failed" in (configuration.get("State"), configuration.get("LastUpdateStatus")):
        raise _failed(site.name, configuration)
    return configuration


def rest(site: Site, version: str = LATEST) -> Mapping[str, str]:
    """Wait until Lambda is through with whatever it is doing, well or not, and return the configuration then."""
    for spent in moments(SETTLE_LIMIT, sleep=site.sleep):
        answer: Any = site.aws.lambda_.get_function(FunctionName=site.name, Qualifier=version)
        configuration: Mapping[str, str] = answer["Configuration"]
        if configuration.get("State") != "Pending" and configuration.get("LastUpdateStatus") != "InProgress":
            return configuration
        site.report(Progress(_KIND, f"waiting for Lambda to take it over ({spent:.0f} s)"))
    raise AwsError(
        f"Lambda has not brought the function {site.name} up within {SETTLE_LIMIT:.0f} s",
        operation="lambda:GetFunction",
        hint="Run `lambdacap deploy` again; it goes on where it was.",
    )


def _delete(site: Site, version: str) -> None:
    """Delete a version, unless an alias of the user's own needs it."""
    found(
        lambda: site.aws.lambda_.delete_function(FunctionName=site.name, Qualifier=version),
        "ResourceNotFoundException",
        "ResourceConflictException",
    )


def _failed(name: str, configuration: Mapping[str, str]) -> AwsError:
    update = configuration.get("LastUpdateStatus") == "Failed"
    reason = configuration.get("LastUpdateStatusReasonCode" if update else "StateReasonCode") or ""
    words = configuration.get("LastUpdateStatusReason" if update else "StateReason") or "no reason given"
    return AwsError(
        f"Lambda could not bring the function {name} up: {words}" + (f" ({reason})" if reason else ""),
        operation="lambda:GetFunction",
        code=reason,
        hint=_REASONS.get(reason, "Run `lambdacap deploy` again; it goes on where it was."),
    )
