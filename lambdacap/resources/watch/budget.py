"""An AWS budget: an e-mail when the month has cost what its owner wants to spend at most. It stops nothing.

It counts what the account spends on the services that calls cost money for. By the tag, which would be this deployment
alone, AWS counts only once somebody has activated it as a cost allocation tag, in the organisation's management
account; until then such a budget would see nothing, and be silent whatever is spent.
"""

from __future__ import annotations

from typing import Any

from lambdacap.aws.clients import TAG, found
from lambdacap.resources.resource import Change, Properties, Resource, Site, State, check_owner
from lambdacap.settings import Settings

SERVICES = ["AWS Lambda", "Amazon API Gateway", "AmazonCloudWatch"]
"""As AWS's bill calls them."""
_PARTITIONS = ("aws", "aws-cn")
"""Where there surely are budgets; elsewhere nobody is kept from a deploy by asking for them."""
_AT_LIMIT: Any = {
    "NotificationType": "ACTUAL",
    "ComparisonOperator": "GREATER_THAN",
    "Threshold": 100.0,
    "ThresholdType": "PERCENTAGE",
}


class Budget(Resource):
    """Budgets are the account's, not a region's: the name says which region's deployment is meant."""

    kind = "budget"
    title = "budget"
    step = "deploy"

    def needed(self, settings: Settings) -> bool:
        return settings.budget is not None

    def find(self, site: Site) -> State | None:
        where: Any = {"AccountId": site.aws.account, "BudgetName": budget_name(site)}
        missing = ["NotFoundException"]
        if not self.needed(site.settings) and self.kind not in site.deployment.resources:
            if site.aws.partition not in _PARTITIONS:
                return None
            # Many who deploy may not see what an account spends; they have made no budget either.
            missing += ["AccessDeniedException"]
        answer = found(lambda: site.aws.budgets.describe_budget(**where), *missing)
        if answer is None:
            return None
        tags = site.aws.budgets.list_tags_for_resource(ResourceARN=_arn(site)).get("ResourceTags", [])
        check_owner(site, f"the budget {budget_name(site)}", {tag["Key"]: tag["Value"] for tag in tags})
        told: Any = found(
            lambda: site.aws.budgets.describe_subscribers_for_notification(**where, Notification=_AT_LIMIT),
            "NotFoundException",
        )
        limit: Any = answer["Budget"].get("BudgetLimit", {})
        return State(
            {"name": budget_name(site), "arn": _arn(site)},
            {
                "dollars a month": float(limit["Amount"]) if limit.get("Unit") == "USD" else None,
                "e-mail": ", ".join(sorted(one["Address"] for one in (told or {}).get("Subscribers", []))) or None,
            },
        )

    def wanted(self, site: Site) -> Properties:
        return {"dollars a month": float(site.settings.budget or 0), "e-mail": site.settings.alarm_email}

    def create(self, site: Site) -> State:
        receiver: Any = {"SubscriptionType": "EMAIL", "Address": site.settings.alarm_email}
        site.aws.budgets.create_budget(
            AccountId=site.aws.account,
            Budget={
                "BudgetName": budget_name(site),
                "BudgetLimit": {"Amount": str(site.settings.budget), "Unit": "USD"},
                "BudgetType": "COST",
                "TimeUnit": "MONTHLY",
                "CostFilters": {"Service": SERVICES},
            },
            NotificationsWithSubscribers=[{"Notification": _AT_LIMIT, "Subscribers": [receiver]}],
            ResourceTags=[{"Key": TAG, "Value": site.name}],
        )
        return State({"name": budget_name(site), "arn": _arn(site)}, self.wanted(site))

    def update(self, site: Site, state: State, change: Change) -> State:  # noqa: ARG002 - it holds nothing of its own
        self.remove(site, state)
        return self.create(site)

    def remove(self, site: Site, state: State) -> None:  # noqa: ARG002 - the name is all
        found(
            lambda: site.aws.budgets.delete_budget(AccountId=site.aws.account, BudgetName=budget_name(site)),
            "NotFoundException",
        )


def budget_name(site: Site) -> str:
    """The name of the deployment's budget."""
    return f"{site.name}-{site.aws.region}"


def _arn(site: Site) -> str:
    return site.aws.arn("budgets", f"budget/{budget_name(site)}", regional=False)
