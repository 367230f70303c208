"""What AWS does and the local cloud does not, put on the wire between the two (each test says which)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lambdacap.aws.clients import translated
from lambdacap.errors import AwsError
from lambdacap.resources import RESOURCES, Site, State
from lambdacap.resources.function.release import Release, find_release, settle, versions
from tests.proxy import ALWAYS, Proxy
from tests.pushing import push_image
from tests.resources.conftest import Seen
from tests.sites import ensured

ROLE = "The role defined for the function cannot be assumed by Lambda."
BUSY = "The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:x"
PENDING = "The operation cannot be performed at this time. The function is currently in the following state: Pending"
NO_ACCESS = "Lambda does not have permission to access the ECR image. Check the ECR permissions."
FUNCTION = next(resource for resource in RESOURCES if resource.kind == "function")
API = next(resource for resource in RESOURCES if resource.kind == "api")


@pytest.fixture
def ready(aside: Site) -> Site:
    """Everything that the function needs is there."""
    return ensured(aside, until=FUNCTION)


def ensure(site: Site) -> State:
    """The function as it should be, as `deploy` would see to it."""
    with translated(site.aws):
        return FUNCTION.ensure(site, FUNCTION.find(site))[0]


def with_memory(site: Site, memory: int) -> Site:
    return replace(site, settings=replace(site.settings, memory=memory))


def test_tags_that_may_not_be_seen_are_not_taken_for_somebody_elses(ready: Site, proxy: Proxy) -> None:
    """Without lambda:ListTags, GetFunction leaves them out and says so."""
    ensure(ready)
    error = {"ErrorCode": "AccessDeniedException", "Message": "not authorized"}
    proxy.change("GetFunction", lambda answer: {**answer, "Tags": {}, "TagsError": error})
    with pytest.raises(AwsError, match="may not be seen: not authorized") as caught:
        FUNCTION.find(ready)
    assert "needs the permission lambda:ListTags" in caught.value.hint


class TestANewRole:
    """CreateFunction soon after CreateRole: IAM is eventually consistent."""

    def test_is_waited_for(self, ready: Site, proxy: Proxy, seen: Seen) -> None:
        proxy.refuse("CreateFunction", "InvalidParameterValueException", ROLE, times=3)
        assert ensure(ready).identity["version"] == "1"
        assert proxy.calls.count("CreateFunction") == 4
        assert sum(seen.slept[:9]) == 9.0
        assert "waiting for the role to become usable (0 s)" in seen.progress

    def test_other_invalid_values_are_not(self, ready: Site, proxy: Proxy) -> None:
        proxy.refuse("CreateFunction", "InvalidParameterValueException", "Unzipped size must be smaller")
        with pytest.raises(AwsError, match="refused lambda:CreateFunction: Unzipped size"):
            ensure(ready)
        assert proxy.calls.count("CreateFunction") == 1


@pytest.mark.parametrize("call", ["UpdateFunctionConfiguration", "PublishVersion", "Invoke"])
def test_a_function_that_is_busy_is_waited_for(call: str, ready: Site, proxy: Proxy, seen: Seen) -> None:
    ensure(ready)
    proxy.refuse(call, "ResourceConflictException", PENDING if call == "Invoke" else BUSY, status=409, times=2)
    assert ensure(with_memory(ready, 512)).identity["version"] == "2"
    assert sum(seen.slept) >= 4.0
    assert any("another change (" in text for text in seen.progress)


def test_an_inactive_function_is_woken_by_its_first_call(ready: Site, proxy: Proxy) -> None:
    proxy.refuse("Invoke", "CodeArtifactUserPendingException", "still being provisioned", status=409, times=2)
    assert ensure(ready).identity["version"] == "1"
    assert proxy.calls.count("Invoke") == 3


def test_another_conflict_is_no_reason_to_wait(ready: Site, proxy: Proxy) -> None:
    proxy.refuse("CreateFunction", "ResourceConflictException", "Function already exist: x", status=409)
    with pytest.raises(AwsError, match="already exist"):
        ensure(ready)


def configuration(**values: str) -> Callable[[Any], Any]:
    """GetFunction's answer with these values in it."""

    def change(answer: Any) -> Any:  # noqa: ANN401 - JSON
        return {**answer, "Configuration": {**answer["Configuration"], **values}}

    return change


def test_pending_is_waited_out_and_shown(ready: Site, proxy: Proxy, seen: Seen) -> None:
    pending = configuration(State="Pending", StateReasonCode="Creating")
    proxy.change("GetFunction", pending, after=1, times=3)  # the first finds that there is none yet
    ensure(ready)
    assert seen.slept[:3] == pytest.approx([0.2, 0.3, 0.45])
    assert seen.progress.count("waiting for Lambda to take it over (0 s)") >= 3


REASONS = {
    "ImageAccessDenied": "mends the repository's policy",
    "ImageDeleted": "pushes it again",
    "InvalidImage": "build it from the Dockerfile",
    "InsufficientRolePermissions": "which mends it",
    "InternalError": "AWS's own failure",
    "KMSKeyAccessDenied": "decrypt",
    "FunctionError": "locally",
    "FunctionError.InitTimeout": "--memory",
    "FunctionError.InitResourceExhausted": "--memory",
    "FunctionError.InvalidEntryPoint": "ENTRYPOINT and CMD",
    "FunctionError.InvalidWorkingDirectory": "WORKDIR",
    "FunctionError.PermissionDenied": "rights",
    "FunctionError.RuntimeInitError": "locally",
    "SomethingNew": "Run `lambdacap deploy` again",
}


class TestWhatLambdaCannotBringUp:
    """State and LastUpdateStatus `Failed`, with a reason code."""

    def test_is_told_with_its_reason(self, ready: Site, proxy: Proxy) -> None:
        ensure(ready)
        for kind in ("LastUpdateStatus", "State"):
            for reason, hint in REASONS.items():
                values = {kind: "Failed", f"{kind}ReasonCode": reason, f"{kind}Reason": "words of Lambda's"}
                proxy.change("GetFunction", configuration(**values))
                with pytest.raises(AwsError, match="up: words of Lambda's") as caught:
                    settle(ready)
                assert caught.value.message.endswith(f"({reason})")
                assert caught.value.code == reason
                assert hint in caught.value.hint

    def test_an_update_that_fails_reaches_no_caller(self, ready: Site, proxy: Proxy) -> None:
        ensure(ready)
        state = FUNCTION.find(ready)
        proxy.change("GetFunction", configuration(LastUpdateStatus="Failed"), times=ALWAYS)
        with pytest.raises(AwsError, match="could not bring the function"):
            FUNCTION.ensure(with_memory(ready, 512), state)
        assert find_release(ready) == Release("1", None)

    def test_an_update_that_failed_is_done_again(self, ready: Site, proxy: Proxy) -> None:
        ensure(ready)
        proxy.change("GetFunction", configuration(LastUpdateStatus="Failed"))
        state = FUNCTION.find(ready)
        change = FUNCTION.change(ready, state)
        assert change.differences == {"state": ("update failed", "Active")}
        FUNCTION.ensure(ready, state)
        assert "UpdateFunctionCode" in proxy.calls
        assert versions(ready) == ["1"]

    def test_a_creation_says_why_and_the_next_deploy_creates_it_anew(self, ready: Site, proxy: Proxy) -> None:
        failed = configuration(
            State="Failed", StateReasonCode="ImageDeleted", StateReason="gone", LastUpdateStatus="Successful"
        )
        proxy.change("GetFunction", failed)
        with pytest.raises(AwsError, match=r"gone \(ImageDeleted\)"):
            FUNCTION.ensure(ready, None)
        proxy.change("GetFunction", failed)
        assert ensure(ready).identity["version"] == "1"
        assert proxy.calls.count("CreateFunction") == 2
        assert proxy.calls.count("DeleteFunction") == 1

    def test_a_published_version_that_fails_is_not_live(self, ready: Site, proxy: Proxy) -> None:
        ensure(ready)

        def fail(answer: Any) -> Any:  # noqa: ANN401 - JSON
            published = answer["Configuration"]["Version"] == "2"
            return configuration(State="Failed", StateReasonCode="InvalidImage")(answer) if published else answer

        proxy.change("GetFunction", fail, times=ALWAYS)
        with pytest.raises(AwsError, match=r"InvalidImage"):
            ensure(with_memory(ready, 512))
        assert find_release(ready) == Release("1", None)


def test_a_live_version_that_fell_asleep_is_found_and_woken(ready: Site, proxy: Proxy) -> None:
    """Inactive: nobody called it for weeks, or its image is gone."""
    ensure(ready)
    proxy.change("GetFunction", configuration(State="Inactive", StateReasonCode="Idle"), after=1)
    state = FUNCTION.find(ready)
    assert FUNCTION.change(ready, state).differences == {"state": ("Inactive", "Active")}
    before = proxy.calls.count("Invoke")
    FUNCTION.ensure(ready, state)
    assert proxy.calls.count("Invoke") == before + 1
    assert "UpdateFunctionCode" not in proxy.calls
    assert versions(ready) == ["1"]


def test_a_function_that_fell_asleep_behind_its_live_version_is_no_matter(ready: Site, proxy: Proxy) -> None:
    ensure(ready)
    proxy.change("GetFunction", configuration(State="Inactive", StateReasonCode="Idle"))
    assert FUNCTION.change(ready, FUNCTION.find(ready)).action == "keep"


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("InvalidParameterValueException", "Source image x does not exist. Provide a valid source image.", "push"),
        (
            "InvalidParameterValueException",
            "The image manifest, config or layer media type for the source image x is not supported.",
            "single image",
        ),
        ("CodeStorageExceededException", "Code storage limit exceeded.", "versions that nobody needs"),
        ("AccessDeniedException", "User is not authorized to perform lambda:CreateFunction", "needs the permission"),
    ],
)
def test_a_refused_creation_says_what_to_do(code: str, message: str, hint: str, ready: Site, proxy: Proxy) -> None:
    proxy.refuse("CreateFunction", code, message)
    with pytest.raises(AwsError, match="refused lambda:CreateFunction") as caught:
        ensure(ready)
    assert hint in caught.value.hint


def test_a_new_repository_policy_is_waited_for(ready: Site, proxy: Proxy) -> None:
    proxy.refuse("CreateFunction", "AccessDeniedException", NO_ACCESS, status=403, times=2)
    assert ensure(ready).identity["version"] == "1"


class TestTheMemoryOfANewAccount:
    CAP = "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 3008"

    def test_bounds_a_creation(self, ready: Site, proxy: Proxy, seen: Seen) -> None:
        proxy.refuse("CreateFunction", "ValidationException", self.CAP)
        assert ensure(with_memory(ready, 8000)).properties["memory"] == 3008
        assert seen.warned[0].startswith("this account's functions get 3008 MB at most, not 8000")

    def test_bounds_an_update_which_is_no_release_then(self, ready: Site, proxy: Proxy, seen: Seen) -> None:
        ensure(with_memory(ready, 3008))
        proxy.refuse("UpdateFunctionConfiguration", "ValidationException", self.CAP)
        assert ensure(with_memory(ready, 8000)).identity["version"] == "1"
        assert len(seen.warned) == 1

    def test_any_other_bound_is_an_error(self, ready: Site, proxy: Proxy) -> None:
        proxy.refuse("CreateFunction", "ValidationException", self.CAP.replace("MemorySize", "Timeout"))
        with pytest.raises(AwsError, match="Timeout"):
            ensure(ready)


class TestThePermission:
    def test_that_somebody_added_meanwhile_is_replaced(self, ready: Site, proxy: Proxy) -> None:
        """AddPermission twice: the policy says no, and yet the statement is there."""
        site = ensured(ready)
        state = API.find(site)
        assert state is not None
        without = State(state.identity, {**state.properties, "permission": None})
        change = API.change(site, without)
        assert set(change.differences) == {"permission"}
        API.update(site, without, change)
        assert API.change(site, API.find(site)).action == "keep"
        assert proxy.calls[-6:].count("AddPermission") == 1


@pytest.mark.parametrize("call", ["CreateRestApi", "CreateDeployment", "DeleteRestApi"])
def test_rate_limits_of_the_gateway_are_counted_down(call: str, ready: Site, proxy: Proxy, seen: Seen) -> None:
    """One API deleted in 30 s, one made in 3: botocore's own retries, seconds apart, are not enough."""
    site = ensured(ready, until=API)
    proxy.refuse(call, "TooManyRequestsException", "Too Many Requests", status=429, times=4)
    state, _ = API.ensure(site, API.find(site))
    API.remove(site, state)
    assert API.find(site) is None
    waits = [text for text in seen.progress if "allows few of these calls" in text]
    assert [wait.partition("next try in ")[2].partition(" s (")[0] for wait in waits[:31]] == [
        str(seconds) for seconds in range(31, 0, -1)
    ]
    assert waits[0].endswith(" s so far)")


def test_the_image_of_a_version_that_was_made_by_a_tag_is_kept(ready: Site, proxy: Proxy) -> None:
    """A user's own alias may keep one: then only ResolvedImageUri says the digest."""
    ecr = ready.aws.ecr
    push_image(ecr, ready.name, "by-hand")

    def images() -> int:
        return len(ecr.list_images(repositoryName=ready.name)["imageIds"])

    digest = ecr.describe_images(repositoryName=ready.name)["imageDetails"][0]["imageDigest"]
    resolved = f"somewhere/{ready.name}@{digest}"

    def told(answer: Any) -> Any:  # noqa: ANN401 - JSON
        return {**answer, "Code": {**answer["Code"], "ResolvedImageUri": resolved}} if "Code" in answer else answer

    proxy.change("GetFunction", told, times=ALWAYS)
    ensure(ready)
    assert images() == 1
    proxy.rules.clear()
    ensure(with_memory(ready, 512))
    assert images() == 0
