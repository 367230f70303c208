"""The way to AWS, not --local, against moto's control plane: it, too, has what is wanted, and nothing at the end.

Where moto is wrong by AWS's documentation, a rule between the two or another server stands for AWS, and is named so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from lambdacap.events import silent
from lambdacap.local import cloud
from lambdacap.operations.access import api_key
from lambdacap.operations.deploy import Deployed, deploy, plan
from lambdacap.operations.rollback import rollback
from lambdacap.operations.status import look
from lambdacap.operations.teardown import teardown
from lambdacap.resources.api.rest_api import BINARY_MEDIA_TYPES
from lambdacap.settings import Settings
from tests.conftest import STUB
from tests.moto_server import ACCOUNT, moto_server
from tests.proxy import ALWAYS, Proxy, between
from tests.pushing import content_tag

REGION = "eu-central-1"
NAME = "second-opinion"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
EVERYTHING: dict[str, Any] = {
    "auth": "key",
    "quota": 50,
    "rate": 7,
    "burst": 9,
    "origin": "https://example.com",
    "reserved_concurrency": 5,
    "alarm_email": "anna@example.com",
    "alarm_calls": 77,
    "budget": 20,
    "memory": 512,
    "timeout": 30,
    "log_retention": 3,
}
OTHERWISE: dict[str, Any] = {
    **EVERYTHING,
    "quota": 60,
    "rate": 8,
    "burst": 10,
    "origin": "https://example.org",
    "reserved_concurrency": 6,
    "alarm_email": "bob@example.com",
    "alarm_calls": 78,
    "budget": 21,
}


WATCHED = {key: EVERYTHING[key] for key in ("quota", "reserved_concurrency", "alarm_email", "budget")}
OPTIONAL = {"concurrency", "usage plan", "alarm", "budget"}


@dataclass
class Account:
    """An account at `moto`, with a proxy before it that mends what moto does unlike AWS."""

    moto: str
    proxy: Proxy
    budgets: str
    settings: Settings

    def client(self, service: str, url: str = "") -> Any:  # noqa: ANN401 - any service's
        session = boto3.Session(ACCOUNT, os.environ["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
        return session.client(service, endpoint_url=url or self.moto)  # type: ignore[call-overload]

    def listing(self) -> dict[str, list[str]]:
        """Everything that the account has, by plain boto3, whoever made it."""
        gateway, sns = self.client("apigateway"), self.client("sns")
        budgets = self.client("budgets", self.budgets).describe_budgets(AccountId=ACCOUNT)
        tagged = self.client("resourcegroupstaggingapi").get_resources()["ResourceTagMappingList"]
        found = {
            "repositories": self.client("ecr").describe_repositories()["repositories"],
            "roles": self.client("iam").list_roles()["Roles"],
            "log groups": self.client("logs").describe_log_groups()["logGroups"],
            "functions": self.client("lambda").list_functions(FunctionVersion="ALL")["Functions"],
            "APIs": gateway.get_rest_apis()["items"],
            "plans": gateway.get_usage_plans()["items"],
            "keys": gateway.get_api_keys()["items"],
            "topics": sns.list_topics()["Topics"],
            "subscriptions": sns.list_subscriptions()["Subscriptions"],
            "alarms": self.client("cloudwatch").describe_alarms()["MetricAlarms"],
            "budgets": budgets.get("Budgets", []),
            "tagged": tagged,
        }
        return {
            kind: sorted(json.dumps(one, default=str, sort_keys=True) for one in some) for kind, some in found.items()
        }

    def push_by_hand(self) -> None:
        """moto has no registry that `docker push` could talk to, nor ECR's layer calls."""
        ecr = self.client("ecr")
        ecr.create_repository(repositoryName=NAME, tags=[{"Key": "lambdacap", "Value": NAME}])
        config = {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": 3,
            "digest": "sha256:" + "0" * 64,
        }
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
        ecr.put_image(
            repositoryName=NAME,
            imageManifest=json.dumps(manifest),
            imageManifestMediaType=MANIFEST,
            imageTag=content_tag(self.settings),
        )

    def others(self) -> None:
        """What other people have in the account, under names that are like ours."""
        gateway, iam = self.client("apigateway"), self.client("iam")
        gateway.create_rest_api(name=f"{NAME}-2")
        gateway.create_usage_plan(name=NAME)
        gateway.create_api_key(name=NAME, enabled=True)
        iam.create_role(RoleName=f"{NAME}-2-{REGION}", AssumeRolePolicyDocument="{}")
        self.client("logs").create_log_group(logGroupName=f"/aws/lambda/{NAME}-2")
        self.client("sns").create_topic(Name=f"{NAME}-2")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cloud_home: Path) -> Iterator[Account]:
    here = cloud.read_cloud(cloud_home)
    local = here.endpoint
    with moto_server(REGION) as moto, between(moto) as proxy:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)  # by which the local cloud knows the account
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", here.secret)
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        # moto's budgets have no tags.
        monkeypatch.setenv("AWS_ENDPOINT_URL_BUDGETS", local)
        settings = Settings(name=NAME, region=REGION, image=STUB, home=tmp_path / "home")
        yield Account(moto, proxy, local, settings)


def with_options(settings: Settings, options: dict[str, Any]) -> Settings:
    return replace(settings, **options, given=dict.fromkeys([*options, "auth"], "this test"))


def keeping(settings: Settings) -> None:
    """A dry run has nothing to do, and status nothing to mend."""
    assert [change for change in plan(settings, silent) if change.action != "keep"] == []
    _, status = look(settings, silent)
    assert status.complete
    assert [change for change in status.changes.values() if change.action != "keep"] == []


def remember_binary_media_types(account: Account) -> None:
    """moto forgets the binary media types that CreateRestApi is given, and takes their values, not their paths, for
    what UpdateRestApi patches; AWS's reference has both. The test fails when moto has learned it."""
    gateway = account.client("apigateway")
    api = gateway.create_rest_api(name="forgetful", binaryMediaTypes=BINARY_MEDIA_TYPES)
    assert api.get("binaryMediaTypes", []) == []
    gateway.delete_rest_api(restApiId=api["id"])

    def remembered(answer: Any) -> Any:  # noqa: ANN401 - JSON
        return {"item": [{**one, "binaryMediaTypes": BINARY_MEDIA_TYPES} for one in answer["item"]]}

    account.proxy.change("GetRestApis", remembered, times=ALWAYS)


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("no_engine")
def test_the_whole_way(account: Account) -> None:
    """Three versions of the function at most: moto numbers them by how many there are, so that the fourth would be
    another third. AWS gives no number twice (Lambda's guide: versions)."""
    account.others()
    before = account.listing()
    remember_binary_media_types(account)
    account.push_by_hand()
    everything, otherwise, signed, keyed = (
        with_options(account.settings, options)
        for options in (EVERYTHING, OTHERWISE, {"auth": "iam"}, {**WATCHED, "auth": "key"})
    )
    made = {change.kind: change.action for change in deploy(everything, silent).changes}
    assert (made.pop("repository"), made.pop("image")) == ("update", "keep")  # made by hand, without its policy
    assert set(made.values()) == {"create"}
    keeping(everything)
    key = api_key(everything)
    assert done(deploy(otherwise, silent), "update") == {"function", *OPTIONAL, "api"}
    keeping(otherwise)
    assert api_key(otherwise) == key
    rollback(otherwise, silent)
    assert live(otherwise) == "1"
    assert done(deploy(signed, silent), "remove") == OPTIONAL
    keeping(signed)
    assert live(signed) == "3"
    assert done(deploy(keyed, silent), "create") == OPTIONAL
    keeping(keyed)
    teardown(keyed, silent)
    assert account.listing() == before


def done(deployed: Deployed, action: str) -> set[str]:
    return {change.kind for change in deployed.changes if change.action == action}


def live(settings: Settings) -> str:
    _, status = look(settings, silent)
    assert status.release
    return status.release.version
