"""API Gateway as it is on AWS: stages that others made, calls that it takes seldom, plans that callers use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lambdacap.aws.clients import translated
from lambdacap.resources import RESOURCES, Site
from tests.proxy import Proxy
from tests.resources.conftest import Seen
from tests.sites import ensured

API = next(resource for resource in RESOURCES if resource.kind == "api")
PLAN = next(resource for resource in RESOURCES if resource.kind == "usage plan")
ACTIVE = "Active stages pointing to this deployment must be moved or deleted"


def with_settings(site: Site, **values: object) -> Site:
    return replace(site, settings=replace(site.settings, **values))  # type: ignore[arg-type]


class TestAStageOfSomebodyElses:
    """AWS deletes no deployment that a stage uses; the local cloud does."""

    @pytest.fixture
    def staged(self, aside: Site) -> Site:
        site = ensured(aside)
        api = site.deployment.resources["api"]["id"]
        gateway = site.aws.apigateway
        deployment = gateway.get_stage(restApiId=api, stageName="prod")["deploymentId"]
        gateway.create_stage(restApiId=api, stageName="beta", deploymentId=deployment)
        return site

    def redeploy(self, site: Site, origin: str) -> list[str]:
        """Deploys another configuration; the ids of the deployments afterwards."""
        site = with_settings(site, origin=origin)
        with translated(site.aws):
            API.ensure(site, API.find(site))
            assert API.change(site, API.find(site)).action == "keep"
        api = site.deployment.resources["api"]["id"]
        return sorted(one["id"] for one in site.aws.apigateway.get_deployments(restApiId=api)["items"])

    def test_keeps_its_deployment_and_nothing_piles_up(self, staged: Site, proxy: Proxy) -> None:
        api, gateway = staged.deployment.resources["api"]["id"], staged.aws.apigateway
        before = gateway.get_stage(restApiId=api, stageName="beta")["deploymentId"]
        for origin in ("https://a.example", "https://b.example"):
            after = self.redeploy(staged, origin)
            live = gateway.get_stage(restApiId=api, stageName="prod")["deploymentId"]
            assert after == sorted([before, live])
            assert before != live
        assert gateway.get_stage(restApiId=api, stageName="beta")["deploymentId"] == before
        assert proxy.calls.count("DeleteDeployment") == 1

    def test_made_in_this_very_moment(self, staged: Site, proxy: Proxy) -> None:
        proxy.change("GetStages", lambda answer: {"item": [s for s in answer["item"] if s["stageName"] == "prod"]})
        proxy.refuse("DeleteDeployment", "BadRequestException", ACTIVE)
        assert len(self.redeploy(staged, "https://a.example")) == 2

    def test_another_refusal_is_told(self, aside: Site, proxy: Proxy) -> None:
        site = ensured(aside)
        proxy.refuse("DeleteDeployment", "BadRequestException", "Invalid deployment id")
        with pytest.raises(Exception, match="Invalid deployment id"):
            self.redeploy(site, "https://a.example")
        self.redeploy(site, "https://a.example")

    def test_a_canary_is_ended(self, aside: Site, proxy: Proxy) -> None:
        """A deployment to a stage with one goes to its share of the callers alone."""
        site = ensured(aside)
        api = site.deployment.resources["api"]["id"]
        old = site.aws.apigateway.get_stage(restApiId=api, stageName="prod")["deploymentId"]

        def canary(answer: Any) -> Any:  # noqa: ANN401 - JSON
            (stage,) = answer["item"]
            return {"item": [{**stage, "deploymentId": old, "canarySettings": {"deploymentId": stage["deploymentId"]}}]}

        proxy.change("GetStages", canary)
        before = proxy.calls.count("UpdateStage")
        (left,) = self.redeploy(site, "https://a.example")
        assert site.aws.apigateway.get_stage(restApiId=api, stageName="prod")["deploymentId"] == left != old
        assert proxy.calls.count("UpdateStage") == before + 4  # one more than without


class TestTheUsagePlan:
    @pytest.fixture
    def keyed(self, aside: Site) -> Site:
        return ensured(with_settings(aside, auth="key", quota=100))

    def plans(self, site: Site) -> list[Any]:
        return [p for p in site.aws.apigateway.get_usage_plans()["items"] if p["name"] == site.name]

    @pytest.mark.parametrize("quota", [5, None])
    def test_is_the_same_with_another_quota(self, quota: int | None, keyed: Site, proxy: Proxy) -> None:
        """Made anew, it would forget what was used, and refuse callers meanwhile."""
        (before,) = self.plans(keyed)
        site = with_settings(keyed, quota=quota)
        state, change = PLAN.ensure(site, PLAN.find(site))
        assert change.differences == {"daily quota": (100, quota)}
        (after,) = self.plans(keyed)
        assert after["id"] == before["id"] == state.identity["id"]
        assert after.get("quota", {}).get("period") == ("DAY" if quota else None)
        assert PLAN.change(site, PLAN.find(site)).action == "keep"
        assert "DeleteUsagePlan" not in proxy.calls

    def test_gets_a_quota_where_there_was_none(self, keyed: Site) -> None:
        for quota in (None, 7):
            site = with_settings(keyed, quota=quota)
            PLAN.ensure(site, PLAN.find(site))
        assert PLAN.change(site, PLAN.find(site)).action == "keep"

    def test_is_changed_once_in_twenty_seconds(self, keyed: Site, proxy: Proxy, seen: Seen) -> None:
        proxy.refuse("UpdateUsagePlan", "TooManyRequestsException", "Too Many Requests", status=429, times=4)
        site = with_settings(keyed, quota=5)
        PLAN.ensure(site, PLAN.find(site))
        proxy.refuse("UpdateUsagePlan", "TooManyRequestsException", "Too Many Requests", status=429, times=4)
        state = PLAN.find(site)
        assert state is not None
        PLAN.remove(site, state)
        assert self.plans(site) == []
        assert sum("next try in 31 s" in text for text in seen.progress) == 4  # each is asked twice

    def test_may_be_good_for_other_apis_too(self, keyed: Site, proxy: Proxy) -> None:
        other = {"apiId": "another", "stage": "prod"}
        proxy.change(
            "GetUsagePlans",
            lambda answer: {"item": [{**p, "apiStages": [other, *p["apiStages"]]} for p in answer["item"]]},
        )
        assert PLAN.change(keyed, PLAN.find(keyed)).action == "keep"
