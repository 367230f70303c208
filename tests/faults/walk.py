"""A random walk of deploys, faults, kills, changes by hand, rollbacks and teardowns: at its end nothing is left.

python -m tests.faults.walk [--walks 4] [--steps 50] [--seed S]
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from hypothesis import HealthCheck, seed, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.faults.account import Account
from tests.faults.matrix import Bench, Case, Standing, benches, cases
from tests.faults.proxy import Fault


def _policies(account: Account, name: str) -> None:
    account.iam.delete_role_policy(RoleName=f"{name}-us-east-1", PolicyName="logs")


def _stage(account: Account, name: str) -> None:
    for api in account.gateway.get_rest_apis()["items"]:
        if api["name"] == name:
            account.gateway.delete_stage(restApiId=api["id"], stageName="prod")


def _api(account: Account, name: str) -> None:
    for api in account.gateway.get_rest_apis()["items"]:
        if api["name"] == name:
            account.gateway.delete_rest_api(restApiId=api["id"])


def _record(account: Account, name: str) -> None:
    for record in (account.home / "deployments").rglob(f"{name}.json"):
        record.unlink()


BY_HAND: dict[str, Callable[[Account, str], Any]] = {
    "the repository": lambda a, n: a.ecr.delete_repository(repositoryName=n, force=True),
    "the repository's policy": lambda a, n: a.ecr.delete_repository_policy(repositoryName=n),
    "the role's policy": _policies,
    "the log group": lambda a, n: a.logs.delete_log_group(logGroupName=f"/aws/lambda/{n}"),
    "the retention": lambda a, n: a.logs.delete_retention_policy(logGroupName=f"/aws/lambda/{n}"),
    "the timeout": lambda a, n: a.lambda_.update_function_configuration(FunctionName=n, Timeout=7),
    "the function": lambda a, n: a.lambda_.delete_function(FunctionName=n),
    "the alias": lambda a, n: a.lambda_.delete_alias(FunctionName=n, Name="live"),
    "the permission": lambda a, n: a.lambda_.remove_permission(
        FunctionName=n, Qualifier="live", StatementId="lambdacap-api"
    ),
    "the stage": _stage,
    "the API": _api,
    "the record": _record,
}
"""What somebody changes or deletes in the console."""


class Walk(RuleBasedStateMachine):
    """The steps; a subclass names the bench and the cases."""

    bench: ClassVar[Bench]
    cases: ClassVar[list[Case]]
    taken: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.bench.clear()  # of what a walk that failed has left
        self.story: list[str] = []

    def fail(self, what: object) -> NoReturn:
        """Hypothesis walks once more to the same end, and may not come there: so it is told now."""
        message = f"{what}\nafter: {', '.join(self.story)}"
        print(message, flush=True)
        raise AssertionError(message)

    def command(self, title: str, *arguments: object, codes: tuple[int, ...]) -> int:
        self.taken[title] += 1
        self.story.append(title)
        result = self.bench.run(*arguments)
        if result.code not in codes or "Traceback" in result.stderr or "defect" in result.stderr:
            self.fail((arguments, result))
        return result.code

    @rule(image=strategies.integers(0, 1), more=strategies.booleans())
    def deploy(self, image: int, more: bool) -> None:
        self.bench.proxy.watch(None)
        arguments = self.bench.arguments(Standing(None, image, more))
        self.command("deploy", *arguments, codes=(0,))
        again = self.bench.run(*arguments, "--dry-run", "--json")
        if {change["action"] for change in again.data["changes"]} != {"keep"}:
            self.fail(again)

    @rule(image=strategies.integers(0, 1), chance=strategies.randoms(use_true_random=False))
    def meet_a_fault(self, image: int, chance: Any) -> None:  # noqa: ANN401 - hypothesis' Random
        case = chance.choice(self.cases)
        self.bench.proxy.watch(Fault(case.call, case.kind, case.lasting), self.bench.run.kill)
        self.story.append(str(case))
        target = None if case.phase == "teardown" else Standing(None, image, case.phase == "more")
        self.command(case.kind, *self.bench.arguments(target), codes=(0, 1, -9))
        self.bench.proxy.watch(None)

    @rule(what=strategies.sampled_from(sorted(BY_HAND)))
    def change_by_hand(self, what: str) -> None:
        self.taken["by hand"] += 1
        self.story.append(f"{what} by hand")
        account = self.bench.account
        # What is not there cannot be changed, and that is no matter.
        with suppress(account.lambda_.exceptions.ClientError):
            BY_HAND[what](account, self.bench.name)

    @rule()
    def roll_back(self) -> None:
        self.bench.proxy.watch(None)
        self.command("rollback", "rollback", "--name", self.bench.name, "--local", codes=(0, 1))

    @rule()
    def tear_down(self) -> None:
        self.bench.proxy.watch(None)
        self.command("teardown", *self.bench.arguments(None), codes=(0, 1))
        if left := self.bench.account.snapshot(self.bench.name):
            self.fail(f"left: {left}")

    def teardown(self) -> None:
        self.tear_down()


def walk(bench: Bench, steps: int, walks: int, number: int) -> Counter[str]:
    """So many walks of so many steps; returns how often each step was taken."""
    calls = bench.learn()

    class Here(Walk):
        taken: ClassVar[Counter[str]] = Counter()

    Here.bench, Here.cases = bench, cases(calls)
    limits = settings(
        max_examples=walks,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(number)(Here), settings=limits)
    return Here.taken


def main() -> None:
    parser = argparse.ArgumentParser(description="A random walk of deploys, faults and teardowns.")
    parser.add_argument("--walks", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=50, help="of one walk at the most (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, benches(Path(folder), 1) as made:
        taken = walk(made[0], arguments.steps, arguments.walks, arguments.seed)
    print(
        f"walked {taken.total()} steps ({', '.join(f'{name} {n}' for name, n in taken.most_common())}): nothing is left"
    )


if __name__ == "__main__":
    main()
