"""What every resource can do: be found, be ensured, be removed."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import ClassVar

from botocore.exceptions import ClientError

from lambdacap.aws.clients import TAG, Aws, code
from lambdacap.deployment.record import Deployment
from lambdacap.errors import NotOursError
from lambdacap.events import Report
from lambdacap.settings import Settings

Properties = Mapping[str, object]
_THERE = {
    "DuplicateRecordException",
    "EntityAlreadyExists",
    "RepositoryAlreadyExistsException",
    "ResourceAlreadyExistsException",
    "ResourceConflictException",
}
"""What services say when something of that name exists."""


@dataclass(frozen=True)
class State:
    """A resource as it is: `identity` goes into the record, `properties` are compared with the wanted ones."""

    identity: Mapping[str, str]
    properties: Properties = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What a person calls it by."""
        identity = self.identity
        return identity.get("url") or identity.get("uri") or identity.get("name") or identity.get("arn", "")


@dataclass(frozen=True)
class Change:
    """What ensuring a resource means: `action` is create, update, keep, or remove if the settings need none.

    `differences` holds property → (as it is, as wanted); None stands for "not there".
    """

    kind: str
    action: str
    differences: Mapping[str, tuple[object, object]]


@dataclass(frozen=True)
class Site:
    """Where work happens: the account, what the user wants, and what is there so far. `sleep` is how it waits."""

    aws: Aws
    settings: Settings
    deployment: Deployment
    report: Report
    sleep: Callable[[float], None] = time.sleep

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def tags(self) -> dict[str, str]:
        """The tag that makes a resource ours."""
        return {TAG: self.settings.name}


class Resource(ABC):
    """One kind of thing that a deployment owns. Every method may be repeated.

    `title` is what AWS calls it, `step` the command that makes it alone.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    step: ClassVar[str]
    declinable: ClassVar[bool] = False
    """Whether an account may not be granted one, and the deployment is whole without."""

    def needed(self, settings: Settings) -> bool:  # noqa: ARG002 - most are, whatever the settings
        """Whether a deployment with these settings has one. One that is there all the same is removed."""
        return True

    @abstractmethod
    def find(self, site: Site) -> State | None:
        """The resource as it is, or None. Raises `NotOursError` when the name is somebody else's."""

    @abstractmethod
    def wanted(self, site: Site) -> Properties:
        """The properties as they ought to be. Writes nothing."""

    @abstractmethod
    def create(self, site: Site) -> State:
        """Make the resource, tagged in the same call."""

    @abstractmethod
    def update(self, site: Site, state: State, change: Change) -> State:
        """Mend what differs."""

    @abstractmethod
    def remove(self, site: Site, state: State) -> None:
        """Delete the resource; quiet when it is gone already."""

    def left(self, state: State, anew: Set[str]) -> State | None:  # noqa: ARG002 - most stand by themselves
        """What is left of `state` once the kinds in `anew` were made anew, and what hung on the old ones is gone."""
        return state

    def change(self, site: Site, state: State | None) -> Change:
        """What `ensure` would do, without doing it."""
        if not self.needed(site.settings):
            return Change(self.kind, "remove", {})
        wanted = self.wanted(site)
        if state is None:
            return Change(self.kind, "create", {key: (None, value) for key, value in wanted.items()})
        differences = {
            key: (state.properties.get(key), value)
            for key, value in wanted.items()
            if state.properties.get(key) != value
        }
        return Change(self.kind, "update" if differences else "keep", differences)

    def ensure(self, site: Site, state: State | None) -> tuple[State, Change]:
        """Bring the resource from `state` (as `find` gave it) to the wanted one."""
        change = self.change(site, state)
        if state is None:
            try:
                return self.create(site), change
            except ClientError as error:
                # AWS made it, the answer was lost, and botocore asked again.
                state = self.find(site) if code(error) in _THERE else None
                if state is None:
                    raise
            site = replace(site, deployment=site.deployment.having(self.kind, state.identity))
            missing = self.change(site, state)
            return (self.update(site, state, missing) if missing.action == "update" else state), change
        if change.action == "keep":
            return state, change
        after = self.update(site, state, change)
        if after.properties == state.properties:
            # AWS declined, which was told: a memory or a reservation that is more than the account has.
            change = Change(self.kind, "keep", {})
        return after, change


def check_owner(site: Site, what: str, tags: Mapping[str, str]) -> None:
    """Raise `NotOursError` unless `tags` say that `what` is this deployment's."""
    if tags.get(TAG) != site.name:
        raise NotOursError(
            f"{what} exists and does not carry the tag {TAG}={site.name}: it is not lambdacap's, and stays untouched",
            hint="Choose another --name, or delete it yourself if nobody needs it.",
        )
