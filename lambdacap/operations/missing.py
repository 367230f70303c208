"""What is told where nothing of a name is deployed: what there is, and how to deploy."""

from __future__ import annotations

from lambdacap.deployment.record import Records
from lambdacap.errors import DeploymentError
from lambdacap.settings import Settings


def missing(settings: Settings, said: str = "is deployed") -> DeploymentError:
    """That of the settings' name there is nothing that `said`."""
    names = ", ".join(
        f"{d.name} ({'this machine' if d.target == 'local' else d.region})" for d in Records(settings.home).all()
    )
    deploy = (
        "`lambdacap deploy --local` deploys it."
        if settings.local
        else "`lambdacap deploy` deploys it to AWS, `lambdacap deploy --local` to this machine."
    )
    return DeploymentError(
        f"nothing named {settings.name!r} {said}",
        hint=f"From this machine there are: {names}; --name says which. {deploy}" if names else deploy,
    )
