"""Where work happens: which account, region and record, from settings and what was recorded before."""

from __future__ import annotations

from dataclasses import replace

from lambdacap.aws.clients import Aws, connect
from lambdacap.deployment.record import Deployment, Records, follow, remembered
from lambdacap.errors import CredentialsError, DeploymentError, SettingsError
from lambdacap.events import Report, Warned
from lambdacap.images import docker_engine
from lambdacap.local import cloud
from lambdacap.operations.missing import missing
from lambdacap.resources import Site
from lambdacap.settings import Settings


def sign_in(
    settings: Settings, report: Report, *, start: bool = False, following: bool = False
) -> tuple[Site, Records]:
    """Sign in where the settings (or, `following`, the record) say, and load that place's record.

    A record that cannot be read leaves nothing to follow; without following it, a new one will do.
    """
    records = Records(settings.home, None if following else lambda words: report(Warned(words)))
    settings = follow(settings, records, None if following else "local" if settings.local else "aws")
    here = _local_cloud(settings, records, report, start=start) if settings.local else None
    endpoint = here.endpoint if here else None
    try:
        aws = connect(
            region=settings.region,
            profile=settings.profile,
            endpoint=endpoint,
            **({"secret": here.secret} if here else {}),
        )
    except (SettingsError, CredentialsError) as error:
        if not following or records.all(settings.name):
            raise
        unknown = missing(settings, f"was deployed from this machine, and AWS cannot be asked: {error.message}")
        unknown.hint += f" {error.hint}"
        raise unknown from error
    blank = Deployment(
        name=settings.name,
        target="local" if settings.local else "aws",
        account=aws.account,
        region=aws.region,
        profile=settings.profile,
        endpoint=endpoint,
    )
    _refuse_other_accounts(aws, settings, records)
    deployment = replace(records.load(blank), endpoint=endpoint, profile=settings.profile)
    if following:
        settings = remembered(settings, deployment)
    if settings.local and not (following and "docker" in deployment.settings):
        settings = replace(settings, docker=settings.docker and docker_engine.host() is not None)
    return Site(aws, settings, deployment, report), records


def _local_cloud(settings: Settings, records: Records, report: Report, *, start: bool) -> cloud.Cloud:
    if start:
        return cloud.start(settings.home, report)
    running = cloud.running(settings.home)
    if running:
        return running
    if records.all(settings.name, "local"):
        # What is deployed there comes back with the cloud.
        return cloud.start(settings.home, report)
    raise missing(settings, "is deployed on this machine")


def _refuse_other_accounts(aws: Aws, settings: Settings, records: Records) -> None:
    """Two accounts that hold the same name are easily mixed up by a forgotten profile."""
    if settings.local:
        return
    recorded = [d for d in records.all(settings.name, "aws") if d.region == aws.region]
    if recorded and all(d.account != aws.account for d in recorded):
        raise DeploymentError(
            f"{settings.name!r} was deployed in account {recorded[0].account}, but these credentials are for "
            f"account {aws.account}",
            hint="Give the --profile that it was deployed with, or another --name.",
        )
