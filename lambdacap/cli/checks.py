"""The commands that tell what would happen, and touch nothing: `config`, `doctor`, `policy`."""

from __future__ import annotations

from collections.abc import Callable

import typer

from lambdacap.cli.console import Console
from lambdacap.cli.help import LOOK, shown
from lambdacap.cli.options import deploy_command
from lambdacap.settings import Settings

Configure = Callable[..., Settings]

checks = typer.Typer(rich_markup_mode=None)


@checks.command(**shown(LOOK, "lambdacap config"))
@deploy_command
def config(configure: Configure, console: Console) -> None:
    """Show every setting, and whether a flag, a variable, a file, a record or a default says so."""
    from lambdacap.cli.views import tables
    from lambdacap.insight.config import explain

    settings = explain(configure())
    console.result(tables.config_table(settings), tables.config_data(settings))


@checks.command(**shown(LOOK, "lambdacap doctor --region eu-central-1"))
@deploy_command
def doctor(configure: Configure, console: Console) -> None:
    """Look for whatever would stop a deploy, before it starts."""
    from lambdacap.cli.views import doctor as views_doctor
    from lambdacap.errors import DeploymentError
    from lambdacap.insight.doctor.checks import examine
    from lambdacap.insight.doctor.finding import FAIL

    findings = list(examine(configure(), console.report))
    console.result(views_doctor.table(findings), views_doctor.data(findings))
    failed = dict.fromkeys(finding.check for finding in findings if finding.level == FAIL)
    if failed:
        raise DeploymentError(f"a deploy would fail: {', '.join(failed)}", hint="The hints above say what to do.")


@checks.command(**shown(LOOK, "lambdacap policy --region eu-central-1"))
@deploy_command
def policy(configure: Configure, console: Console) -> None:
    """Print the least IAM policy that a deployer needs, for this deployment alone.

    Who holds it can write the function's role, and so become what he likes: --boundary ARN bounds that. He also sees
    every API key of the region, and can end other people's subscriptions to topics: IAM has no narrower names there.
    """
    import json

    from lambdacap.events import Finished
    from lambdacap.insight import policy as iam

    document = iam.document(iam.statements(iam.scope(configure(), console.report)))
    console.report(Finished("policy", "ready", iam.fits(document)))
    console.result(json.dumps(document, indent=2), document)
