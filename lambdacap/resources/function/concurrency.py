"""So many executions at a time are the function's alone, and no more: what a flood of calls can cost at most."""

from __future__ import annotations

from collections.abc import Set

from botocore.exceptions import ClientError

from lambdacap.aws.clients import code, found, text
from lambdacap.events import Warned
from lambdacap.resources.resource import Change, Properties, Resource, Site, State
from lambdacap.settings import Settings


class Concurrency(Resource):
    """The function's reserved concurrency. It goes with the function, and has no tags of its own."""

    kind = "concurrency"
    title = "reserved concurrency"
    step = "create-function"
    declinable = True

    def needed(self, settings: Settings) -> bool:
        return settings.reserved_concurrency is not None

    def find(self, site: Site) -> State | None:
        answer = found(
            lambda: site.aws.lambda_.get_function_concurrency(FunctionName=site.name), "ResourceNotFoundException"
        )
        reserved = answer.get("ReservedConcurrentExecutions") if answer else None
        return None if reserved is None else _state(reserved)

    def wanted(self, site: Site) -> Properties:
        return {"reserved": site.settings.reserved_concurrency}

    def create(self, site: Site) -> State:
        wanted = site.settings.reserved_concurrency or 0
        try:
            site.aws.lambda_.put_function_concurrency(FunctionName=site.name, ReservedConcurrentExecutions=wanted)
        except ClientError as error:
            if code(error) != "InvalidParameterValueException" or "UnreservedConcurrentExecution" not in text(error):
                raise
            # No reason to be without an API: new accounts have 10 executions altogether, and AWS keeps these free.
            site.report(
                Warned(
                    f"{wanted} executions cannot be reserved: the account would be left with too few for all others. "
                    "Ask AWS for a higher quota of concurrent executions, or leave --reserved-concurrency out"
                )
            )
            return self.find(site) or _state(None)
        return _state(wanted)

    def ensure(self, site: Site, state: State | None) -> tuple[State, Change]:
        after, change = super().ensure(site, state)
        # What the account does not grant is no change, and will be asked for again.
        return after, change if after.properties["reserved"] is not None else Change(self.kind, "keep", {})

    def left(self, state: State, anew: Set[str]) -> State | None:
        return None if "function" in anew else state

    def update(self, site: Site, state: State, change: Change) -> State:  # noqa: ARG002 - the number is all
        return self.create(site)

    def remove(self, site: Site, state: State) -> None:  # noqa: ARG002 - it is the function's
        found(lambda: site.aws.lambda_.delete_function_concurrency(FunctionName=site.name), "ResourceNotFoundException")


def _state(reserved: int | None) -> State:
    words = f"{reserved} executions at a time" if reserved is not None else "nothing is reserved"
    return State({"name": words}, {"reserved": reserved})
