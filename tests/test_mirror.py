"""The tests lie as the code lies: `lambdacap/a/b.py` is tested by `tests/a/test_b.py`, or a line here says where."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ELSEWHERE = {
    "image/captioner": "image/test_beam.py image/test_bundle.py image/test_captioner.py image/convert/test_convert.py",
    "image/convert": "image/convert/test_convert.py",
    "image/demo": "image/demo/test_scenes.py image/demo/test_training.py image/demo/test_bundle.py",
    "image/serving/check.py": "projects/test_check.py",
    "image/serving": "image/serving/test_picture.py image/test_handler.py image/test_hostile.py",
    "lambdacap/aws/hints.py": "aws/test_clients.py",
    "lambdacap/aws/refusals.py": "aws/test_clients.py",
    "lambdacap/aws/retry.py": "aws/test_clients.py",
    "lambdacap/cli": "cli/test_app.py",
    "lambdacap/cli/access.py": "operations/test_access.py",
    "lambdacap/cli/answering.py": "test_invoke.py test_invoke_models.py",
    "lambdacap/cli/attention.py": "client/test_attention.py",
    "lambdacap/cli/checks.py": "insight/doctor/test_checks.py",
    "lambdacap/aws/errors.py": "cli/test_surroundings.py",
    "lambdacap/cli/complaint.py": "cli/test_surroundings.py cli/test_console.py",
    "lambdacap/cli/completion.py": "cli/test_surroundings.py",
    "lambdacap/cli/destination.py": "client/test_answer.py",
    "lambdacap/cli/demo.py": "test_pages.py",
    "lambdacap/cli/eject.py": "projects/test_eject.py",
    "lambdacap/cli/help.py": "cli/test_surroundings.py",
    "lambdacap/cli/insight.py": "insight",
    "lambdacap/cli/invocation.py": "cli/test_surroundings.py",
    "lambdacap/cli/invoke.py": "test_invoke.py",
    "lambdacap/cli/listing.py": "cli/test_surroundings.py",
    "lambdacap/cli/local.py": "local/test_cloud.py",
    "lambdacap/cli/model.py": "model",
    "lambdacap/cli/open.py": "test_open.py",
    "lambdacap/cli/options.py": "settings test_pages.py",
    "lambdacap/cli/run.py": "projects/test_run.py",
    "lambdacap/cli/serve.py": "projects/test_serve.py",
    "lambdacap/cli/streams.py": "cli/test_surroundings.py",
    "lambdacap/cli/views": "insight",
    "lambdacap/client/many.py": "test_invoke.py",
    "lambdacap/client/request.py": "client/test_inputs.py",
    "lambdacap/images/docker_context.py": "images/test_docker_image.py images/test_left_out.py",
    "lambdacap/images": "images docker/test_push.py",
    "lambdacap/insight/bench_plot.py": "insight/test_bench.py",
    "lambdacap/insight/doctor": "insight/doctor/test_checks.py",
    "lambdacap/insight/traffic.py": "insight/test_health.py",
    "lambdacap/local/front.py": "projects/test_serve.py",
    "lambdacap/local/instance.py": "projects/test_mistakes.py",
    "lambdacap/local": "local/test_cloud.py local/test_functions.py local/test_releases.py",
    "lambdacap/model/bundle.py": "model/test_convert.py",
    "lambdacap/model/cache.py": "model/test_fetch.py",
    "lambdacap/operations/build.py": "docker/test_build.py",
    "lambdacap/operations/deploy.py": "resources/test_resources.py resources/test_drift.py test_interrupted.py",
    "lambdacap/operations/missing.py": "cli/test_surroundings.py",
    "lambdacap/operations/painting.py": "test_pages.py",
    "lambdacap/operations/prerequisites.py": "cli/test_surroundings.py",
    "lambdacap/operations/rollback.py": "local/test_releases.py",
    "lambdacap/operations/run.py": "projects/test_run.py",
    "lambdacap/operations/serve.py": "projects/test_serve.py",
    "lambdacap/operations/sign_in.py": "test_side_by_side.py insight/test_policy.py",
    "lambdacap/operations/source.py": "projects/test_run.py",
    "lambdacap/operations/status.py": "resources/test_drift.py insight/test_health.py",
    "lambdacap/resources": "resources/test_resources.py resources/test_drift.py resources/test_as_aws.py",
    "lambdacap/resources/api/usage_plan.py": "operations/test_access.py",
    "lambdacap/resources/function/concurrency.py": "test_limits.py",
    "lambdacap/resources/function/release.py": "local/test_releases.py",
    "lambdacap/resources/watch/budget.py": "resources/watch/test_alarm.py",
    "lambdacap/settings": "settings",
    "lambdacap/storage.py": "cli/test_surroundings.py deployment/test_lock.py",
}
"""Module, or folder whose modules are tested together → where the tests are; the nearest line counts."""


def has_behaviour(path: Path) -> bool:
    """Whether there is a function or a method with more in it than words and names."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    bodies = [node.body for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return any(not isinstance(statement, ast.Expr | ast.Pass) for body in bodies for statement in body)


def mirrored(path: str) -> Path:
    """`lambdacap/a/b.py` → `tests/a/test_b.py`, `image/a/b.py` → `tests/image/a/test_b.py`; folders count, too."""
    parts = Path(path.removesuffix("/__init__.py")).with_suffix("").parts
    folder = Path(*(parts[1:-1] if parts[0] == "lambdacap" else parts[:-1]))
    return Path("tests") / folder / f"test_{parts[-1]}.py"


MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("lambdacap", "image")
    for path in (ROOT / folder).rglob("*.py")
    if has_behaviour(path) and "templates" not in path.parts  # which bring their own tests
)
WITHOUT = [module for module in MODULES if not (ROOT / mirrored(module)).exists()]


def elsewhere(module: str) -> str | None:
    """The line of ELSEWHERE that holds for a module."""
    places = (module, *(folder.as_posix() for folder in Path(module).parents))
    return next((place for place in places if place in ELSEWHERE), None)


@pytest.mark.parametrize("module", WITHOUT)
def test_its_tests_are_where_one_looks(module: str) -> None:
    assert elsewhere(module), f"{mirrored(module)} is not there, and ELSEWHERE does not say what is"


@pytest.mark.parametrize("line", sorted(ELSEWHERE))
def test_what_is_said_is_true_and_wanted(line: str) -> None:
    assert line in map(elsewhere, WITHOUT), "no module needs it"
    for place in ELSEWHERE[line].split():
        path = ROOT / "tests" / place
        assert path.is_file() or list(path.glob("test_*.py")), place
