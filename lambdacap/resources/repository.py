"""The Amazon ECR repository that holds the deployment's images."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from lambdacap.aws.answer import document
from lambdacap.aws.clients import found
from lambdacap.resources.resource import Change, Properties, Resource, Site, State, check_owner


class Repository(Resource):
    kind = "repository"
    title = "Amazon ECR repository"
    step = "push"

    def find(self, site: Site) -> State | None:
        ecr, identity = site.aws.ecr, _identity(site)
        answer = found(lambda: ecr.list_tags_for_resource(resourceArn=identity["arn"]), "RepositoryNotFoundException")
        if answer is None:
            return None
        check_owner(site, f"the ECR repository {site.name}", {tag["Key"]: tag["Value"] for tag in answer["tags"]})
        policy = found(lambda: ecr.get_repository_policy(repositoryName=site.name), "RepositoryPolicyNotFoundException")
        return State(identity, {"policy": document(policy["policyText"]) if policy else None})

    def wanted(self, site: Site) -> Properties:
        return {"policy": pull_policy(site)}

    def create(self, site: Site) -> State:
        site.aws.ecr.create_repository(
            repositoryName=site.name,
            # A tag names a content, so it never moves.
            imageTagMutability="IMMUTABLE",
            tags=[{"Key": key, "Value": value} for key, value in site.tags.items()],
        )
        self._put_policy(site)
        return State(_identity(site), self.wanted(site))

    def update(self, site: Site, state: State, change: Change) -> State:  # noqa: ARG002 - the policy is all
        self._put_policy(site)
        return State(state.identity, self.wanted(site))

    def remove(self, site: Site, state: State) -> None:  # noqa: ARG002 - its name is its identity
        # `force`: a repository with images in it is not deleted otherwise.
        found(
            lambda: site.aws.ecr.delete_repository(repositoryName=site.name, force=True),
            "RepositoryNotFoundException",
        )

    def _put_policy(self, site: Site) -> None:
        site.aws.ecr.set_repository_policy(repositoryName=site.name, policyText=json.dumps(pull_policy(site)))


def pull_policy(site: Site) -> dict[str, object]:
    """Lets Lambda pull for this one function, and nobody else (Lambda's guide: Amazon ECR permissions)."""
    function = site.aws.arn("lambda", f"function:{site.name}")
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "LambdaPull",
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                "Condition": {"StringLike": {"aws:sourceArn": [function, f"{function}:*"]}},
            }
        ],
    }


def local_uri(site: Site) -> str:
    """Where the local cloud has the repository, or would have it; empty on AWS.

    The local cloud's answers name real AWS hosts; pushing there would leave the machine.
    """
    return f"{urlsplit(site.aws.endpoint).netloc}/{site.name}" if site.aws.endpoint else ""


def _identity(site: Site) -> dict[str, str]:
    aws = site.aws
    uri = f"{aws.account}.dkr.ecr.{aws.region}.{aws.domain}/{site.name}"
    return {"arn": aws.arn("ecr", f"repository/{site.name}"), "uri": local_uri(site) or uri}
