"""The API key that callers send with `--auth key`, and the usage plan that says what it is good for.

The key's value is AWS's to keep: it is read back when it is needed, and goes into no record.
"""

from __future__ import annotations

from typing import Any

from lambdacap.aws.clients import TAG, found
from lambdacap.resources.api.patience import patiently
from lambdacap.resources.api.rest_api import STAGE, Api
from lambdacap.resources.resource import Change, Properties, Resource, Site, State
from lambdacap.settings import Settings


class UsagePlan(Resource):
    """Names of plans and keys are not unique: those that do not carry our tag are others', and no matter."""

    kind = "usage plan"
    title = "API key and usage plan"
    step = "create-api"

    def needed(self, settings: Settings) -> bool:
        return settings.auth == "key"

    def find(self, site: Site) -> State | None:
        plans, keys = _plans(site), _keys(site)
        if not plans and not keys:
            return None
        plan: Any = plans[0] if plans else {"id": ""}
        members = _members(site, plan["id"]) if plans else set()
        # The one that is in the plan: another may be left from a call whose answer was lost.
        key: Any = max(keys, key=lambda key: key["id"] in members, default={"id": ""})
        return State(
            _identity(site, plan["id"], key["id"]),
            {
                "stage": _own_stage(site, plan),
                "daily quota": _daily(plan.get("quota")),
                "key": "valid" if key["id"] in members and key["enabled"] else None,
                # Of calls whose answers were lost.
                "spare": sorted(one["id"] for one in (*plans, *keys) if one["id"] not in (plan["id"], key["id"])),
            },
        )

    def wanted(self, site: Site) -> Properties:
        return {"stage": _stage(site), "daily quota": site.settings.quota, "key": "valid", "spare": []}

    def create(self, site: Site) -> State:
        return self._complete(site, "", "")

    def update(self, site: Site, state: State, change: Change) -> State:
        plan = state.identity["id"]
        self._remove(site, change.differences.get("spare", ([], []))[0])
        if "stage" in change.differences and plan:
            # Of another API, which is gone. A key may not be in two plans of one stage, so the new one comes after.
            self._remove(site, [plan])
            plan = ""
        if "daily quota" in change.differences and plan:
            # What callers have used of it stays counted, and none is refused meanwhile.
            operations = _quota_patch(site.settings.quota)
            patiently(site, lambda: site.aws.apigateway.update_usage_plan(usagePlanId=plan, patchOperations=operations))
        return self._complete(site, plan, state.identity["key"])

    def remove(self, site: Site, state: State) -> None:
        spare: Any = state.properties["spare"]
        self._remove(site, [*spare, state.identity["id"], state.identity["key"]])

    def _complete(self, site: Site, plan: str, key: str) -> State:
        """Make the plan or the key unless there is one, and let the key be good for the plan."""
        gateway, api = site.aws.apigateway, site.deployment.resources[Api.kind]["id"]
        if not plan:
            quota: Any = {"quota": {"limit": site.settings.quota, "period": "DAY"}} if site.settings.quota else {}
            plan = gateway.create_usage_plan(
                name=site.name,
                description="made by lambdacap",
                apiStages=[{"apiId": api, "stage": STAGE}],
                tags=site.tags,
                **quota,
            )["id"]
        if not key:
            key = gateway.create_api_key(name=site.name, description="made by lambdacap", enabled=True, tags=site.tags)[
                "id"
            ]
        else:
            gateway.update_api_key(apiKey=key, patchOperations=[{"op": "replace", "path": "/enabled", "value": "true"}])
        found(
            lambda: gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY"),
            "ConflictException",  # it is in the plan already
        )
        return State(_identity(site, plan, key), self.wanted(site))

    def _remove(self, site: Site, ids: Any) -> None:  # noqa: ANN401 - as a property holds them
        """Delete those of our plans and keys that have these ids."""
        gateway = site.aws.apigateway
        for plan in (plan for plan in _plans(site) if plan["id"] in ids):
            # AWS: "Cannot delete Usage Plan … because there are API Stages associated with it".
            stages: Any = [
                {"op": "remove", "path": "/apiStages", "value": f"{stage['apiId']}:{stage['stage']}"}
                for stage in plan.get("apiStages", [])
            ]
            if stages:
                found(
                    lambda p=plan, s=stages: patiently(  # type: ignore[misc]
                        site, lambda: gateway.update_usage_plan(usagePlanId=p["id"], patchOperations=s)
                    ),
                    "NotFoundException",
                )
            found(lambda p=plan: gateway.delete_usage_plan(usagePlanId=p["id"]), "NotFoundException")  # type: ignore[misc]
        for key in (key for key in _keys(site) if key["id"] in ids):
            found(lambda k=key: gateway.delete_api_key(apiKey=k["id"]), "NotFoundException")  # type: ignore[misc]


def _identity(site: Site, plan: str, key: str) -> dict[str, str]:
    return {"name": site.name, "id": plan, "key": key}


def _stage(site: Site) -> str:
    return f"{site.deployment.resources.get(Api.kind, {}).get('id', '')}:{STAGE}"


def _own_stage(site: Site, plan: Any) -> str | None:  # noqa: ANN401 - API Gateway's own shape
    """The deployment's stage if the plan is good for it, whatever others it is good for; else one of those."""
    stages = [f"{stage['apiId']}:{stage['stage']}" for stage in plan.get("apiStages", [])]
    return max(stages, key=lambda stage: stage == _stage(site), default=None)


def _quota_patch(quota: int | None) -> Any:  # noqa: ANN401 - patch operations
    if quota is None:
        return [{"op": "remove", "path": "/quota"}]
    values = {"limit": str(quota), "period": "DAY", "offset": "0"}
    return [{"op": "replace", "path": f"/quota/{key}", "value": value} for key, value in values.items()]


def _plans(site: Site) -> list[Any]:
    pages = site.aws.apigateway.get_paginator("get_usage_plans").paginate(PaginationConfig={"PageSize": 500})
    return [plan for page in pages for plan in page["items"] if plan.get("tags", {}).get(TAG) == site.name]


def _keys(site: Site) -> list[Any]:
    pages = site.aws.apigateway.get_paginator("get_api_keys").paginate(
        nameQuery=site.name, includeValues=False, PaginationConfig={"PageSize": 500}
    )
    return [key for page in pages for key in page["items"] if key.get("tags", {}).get(TAG) == site.name]


def _members(site: Site, plan: str) -> set[str]:
    """The ids of the keys in the plan. Their values come along, and stay here."""
    pages = site.aws.apigateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan)
    return {member["id"] for page in pages for member in page["items"]}


def _daily(quota: Any) -> object:  # noqa: ANN401 - API Gateway's own shape
    """Requests a day; for quotas of another period, which are not ours, words that are no such number."""
    if not quota:
        return None
    # The local cloud gives what was patched back as text.
    return int(quota["limit"]) if quota.get("period") == "DAY" else f"{quota['limit']} a {quota.get('period')}"
