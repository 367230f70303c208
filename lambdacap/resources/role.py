"""The IAM role that the function runs as: it may write to its own log group, and nothing else."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from lambdacap.aws.answer import document
from lambdacap.aws.clients import found
from lambdacap.resources.log_group import log_group_name
from lambdacap.resources.resource import Change, Properties, Resource, Site, State, check_owner

POLICY = "logs"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Role(Resource):
    kind = "role"
    title = "IAM role"
    step = "create-function"

    def find(self, site: Site) -> State | None:
        iam, name = site.aws.iam, role_name(site)
        answer = found(lambda: iam.get_role(RoleName=name), "NoSuchEntity")
        if answer is None:
            return None
        role = answer["Role"]
        check_owner(site, f"the IAM role {name}", {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])})
        policy = found(lambda: iam.get_role_policy(RoleName=name, PolicyName=POLICY), "NoSuchEntity")
        return State(
            {"arn": role["Arn"], "id": role["RoleId"]},
            {
                "trust": _document(role["AssumeRolePolicyDocument"]),
                "policy": _document(policy["PolicyDocument"]) if policy else None,
                "boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            },
        )

    def wanted(self, site: Site) -> Properties:
        boundary = site.settings.boundary
        # One that the account's owner has set by hand stays.
        return {"trust": TRUST, "policy": log_policy(site), **({"boundary": boundary} if boundary else {})}

    def create(self, site: Site) -> State:
        boundary: Any = {"PermissionsBoundary": site.settings.boundary} if site.settings.boundary else {}
        role = site.aws.iam.create_role(
            **boundary,
            RoleName=role_name(site),
            AssumeRolePolicyDocument=json.dumps(TRUST),
            Description=f"lambdacap: what the function {site.name} may do",
            Tags=[{"Key": key, "Value": value} for key, value in site.tags.items()],
        )["Role"]
        self._put_policy(site)
        return State({"arn": role["Arn"], "id": role["RoleId"]}, {"boundary": None, **self.wanted(site)})

    def update(self, site: Site, state: State, change: Change) -> State:
        if "boundary" in change.differences:
            # First, since who may change the role only if it has one could not do the rest.
            site.aws.iam.put_role_permissions_boundary(
                RoleName=role_name(site), PermissionsBoundary=site.settings.boundary or ""
            )
        if "trust" in change.differences:
            site.aws.iam.update_assume_role_policy(RoleName=role_name(site), PolicyDocument=json.dumps(TRUST))
        if "policy" in change.differences:
            self._put_policy(site)
        return State(state.identity, {**state.properties, **self.wanted(site)})

    def remove(self, site: Site, state: State) -> None:  # noqa: ARG002 - its name is its identity
        iam, name = site.aws.iam, role_name(site)
        # IAM deletes a role only when nothing hangs on it, what others hung there included.
        for policy in _or_gone(lambda: iam.list_role_policies(RoleName=name)["PolicyNames"]):
            found(lambda p=policy: iam.delete_role_policy(RoleName=name, PolicyName=p), "NoSuchEntity")  # type: ignore[misc]
        for attached in _or_gone(lambda: iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]):
            arn = attached["PolicyArn"]
            found(lambda a=arn: iam.detach_role_policy(RoleName=name, PolicyArn=a), "NoSuchEntity")  # type: ignore[misc]
        found(lambda: iam.delete_role(RoleName=name), "NoSuchEntity")

    def _put_policy(self, site: Site) -> None:
        site.aws.iam.put_role_policy(
            RoleName=role_name(site), PolicyName=POLICY, PolicyDocument=json.dumps(log_policy(site))
        )


def role_name(site: Site) -> str:
    """Roles are global to the account, so the region is part of the name."""
    return f"{site.name}-{site.aws.region}"


def log_policy(site: Site) -> dict[str, object]:
    """The inline policy. Without `logs:CreateLogGroup`: a late invoke cannot bring the group back."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": site.aws.arn("logs", f"log-group:{log_group_name(site)}:*"),
            }
        ],
    }


def _or_gone(call: Any) -> Any:  # noqa: ANN401 - a list of whatever `call` lists
    return found(call, "NoSuchEntity") or []


def _document(policy: Any) -> object:  # noqa: ANN401 - botocore decodes it, other clients leave it URL-encoded
    return document(unquote(policy)) if isinstance(policy, str) else policy
