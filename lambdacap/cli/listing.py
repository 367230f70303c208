"""`lambdacap list`: what was deployed from this machine."""

from __future__ import annotations

from collections.abc import Callable

from lambdacap.cli.console import Console
from lambdacap.cli.options import bare_command
from lambdacap.settings import Settings


@bare_command
def list_deployments(configure: Callable[..., Settings], console: Console) -> None:
    """List the deployments that were made from this machine, with their addresses."""
    from lambdacap.cli.views.tables import deployments_data, deployments_table
    from lambdacap.deployment.record import Records

    found = Records(configure().home).all()
    console.result(deployments_table(found) if found else "nothing is deployed from here", deployments_data(found))
