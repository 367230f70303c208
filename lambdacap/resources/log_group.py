"""The function's log group, made before Lambda would make one that keeps everything for ever."""

from __future__ import annotations

from lambdacap.aws.clients import found
from lambdacap.resources.resource import Change, Properties, Resource, Site, State, check_owner


class LogGroup(Resource):
    kind = "log group"
    title = "CloudWatch log group"
    step = "create-function"

    def find(self, site: Site) -> State | None:
        logs, name = site.aws.logs, log_group_name(site)
        groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        group = next((g for g in groups if g.get("logGroupName") == name), None)
        if group is None:
            return None
        arn = site.aws.arn("logs", f"log-group:{name}")
        check_owner(site, f"the log group {name}", logs.list_tags_for_resource(resourceArn=arn)["tags"])
        return State({"arn": arn, "name": name}, {"retention": group.get("retentionInDays")})

    def wanted(self, site: Site) -> Properties:
        return {"retention": site.settings.log_retention}

    def create(self, site: Site) -> State:
        name = log_group_name(site)
        site.aws.logs.create_log_group(logGroupName=name, tags=site.tags)
        self._put_retention(site)
        return State({"arn": site.aws.arn("logs", f"log-group:{name}"), "name": name}, self.wanted(site))

    def update(self, site: Site, state: State, change: Change) -> State:  # noqa: ARG002 - retention is all
        self._put_retention(site)
        return State(state.identity, self.wanted(site))

    def remove(self, site: Site, state: State) -> None:
        found(
            lambda: site.aws.logs.delete_log_group(logGroupName=state.identity["name"]),
            "ResourceNotFoundException",
        )

    def _put_retention(self, site: Site) -> None:
        site.aws.logs.put_retention_policy(
            logGroupName=log_group_name(site), retentionInDays=site.settings.log_retention
        )


def log_group_name(site: Site) -> str:
    """The name that Lambda writes to by itself."""
    return f"/aws/lambda/{site.name}"
