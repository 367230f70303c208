"""The image in the repository: built from the image folder, tagged by its content, used by its digest."""

from __future__ import annotations

import contextlib
from collections.abc import Set
from typing import Any

from lambdacap.aws.clients import found
from lambdacap.errors import AwsError
from lambdacap.events import Progress
from lambdacap.images import docker_context, docker_engine, docker_image, docker_push
from lambdacap.local.images import Images
from lambdacap.projects import readiness
from lambdacap.resources import manifest
from lambdacap.resources.repository import local_uri
from lambdacap.resources.resource import Change, Properties, Resource, Site, State

_DELETED_AT_ONCE = 100
"""As many as BatchDeleteImage takes."""


class Image(Resource):
    """In the local cloud without a Docker engine: a snapshot of the folder, run by the function process."""

    kind = "image"
    title = "Docker image"
    step = "push"

    def find(self, site: Site) -> State | None:
        """The image in use: the recorded one if it is still there, else the newest."""
        if _as_snapshot(site):
            recorded = site.deployment.resources.get(self.kind, {}).get("tag")
            tag = Images(site.settings.home).choose(site.name, recorded)
            return _snapshot_state(site, tag) if tag else None
        answer = found(
            lambda: list(
                site.aws.ecr.get_paginator("describe_images").paginate(
                    repositoryName=site.name, filter={"tagStatus": "TAGGED"}
                )
            ),
            "RepositoryNotFoundException",
        )
        details = [image for page in answer or [] for image in page["imageDetails"]]
        if not details:
            return None
        recorded = site.deployment.resources.get(self.kind, {}).get("digest")
        newest = max(details, key=lambda image: (image.get("imageDigest") == recorded, image["imagePushedAt"]))
        return _pushed_state(site, newest["imageTags"][0], newest["imageDigest"])

    def wanted(self, site: Site) -> Properties:
        return {"tag": _tag(site)}

    def create(self, site: Site) -> State:
        tag = _tag(site)
        if _as_snapshot(site):
            site.report(Progress(self.kind, "no Docker engine here: keeping a copy of the folder instead"))
            settings, environment = site.settings, readiness.environment(site.settings)
            Images(settings.home).add(
                site.name,
                tag,
                settings.image,
                settings.bundle,
                python=environment.python if environment else None,
                variables=docker_context.variables(settings.image),
            )
            return _snapshot_state(site, tag)
        digest = self._pushed(site, tag) or self._build_and_push(site, tag)
        return _pushed_state(site, tag, manifest.settle(site, tag, digest))

    def update(self, site: Site, state: State, change: Change) -> State:  # noqa: ARG002 - a new content is a new image
        return self.create(site)

    def remove(self, site: Site, state: State) -> None:  # noqa: ARG002 - a snapshot or all of the repository's images
        """The repository takes its images along; only snapshots are ours to delete, of an earlier deploy perhaps."""
        if site.deployment.target == "local":
            Images(site.settings.home).remove(site.name)

    def must_build(self, site: Site, state: State | None) -> bool:
        """Whether `ensure` would want a Docker engine: not for what ECR has, whoever pushed it."""
        if _as_snapshot(site):
            return False
        return state is None or (self.change(site, state).action != "keep" and not self._pushed(site, _tag(site)))

    def _pushed(self, site: Site, tag: str) -> str | None:
        """The digest under which ECR has `tag`, or None. Raises `AwsError` if Lambda could not run it."""
        answer = found(
            lambda: site.aws.ecr.describe_images(repositoryName=site.name, imageIds=[{"imageTag": tag}]),
            "ImageNotFoundException",
        )
        if not (answer and answer["imageDetails"]):  # the local cloud answers with an empty list
            return None
        image = answer["imageDetails"][0]
        kind = image.get("imageManifestMediaType", manifest.MANIFESTS[0])
        if kind not in (*manifest.MANIFESTS, *manifest.INDEXES):
            raise AwsError(
                f"{site.name}:{tag} in ECR is a {kind}, which Lambda does not run",
                hint="It takes a container image: delete that tag, and let lambdacap build and push it.",
            )
        return image["imageDigest"]

    def _build_and_push(self, site: Site, tag: str) -> str:
        repository = site.deployment.resources["repository"]["uri"]

        def authorize() -> str:
            return site.aws.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]

        with contextlib.closing(docker_engine.connect()) as engine:
            docker_image.build(engine, site.settings, tag, site.report)
            pushed = docker_push.push(engine, site.settings, tag, repository, authorize, site.report)
        # Engines have said "pushed" of what never arrived; the repository's word counts.
        digest = self._pushed(site, tag)
        if digest is None or pushed not in ("", digest):
            raise AwsError(
                f"the engine pushed {repository}:{tag} as {pushed or 'it is'}, but ECR has {digest or 'nothing'} there",
                hint="Run the same command again; if it stays so, look at the engine's own log.",
            )
        return digest


def identify(site: Site, uri: str) -> dict[str, str] | None:
    """What the record holds of the image at `uri`, as a function names it; None when it is gone."""
    if "@" not in uri:
        tag = uri.rpartition(":")[2]
        there = Images(site.settings.home).path(site.name, tag).is_dir()
        return {"tag": tag, "uri": uri} if there else None
    digest = uri.rpartition("@")[2]
    answer = found(
        lambda: site.aws.ecr.describe_images(repositoryName=site.name, imageIds=[{"imageDigest": digest}]),
        "ImageNotFoundException",
        "RepositoryNotFoundException",
    )
    details = answer["imageDetails"] if answer else []
    return {"tag": details[0]["imageTags"][0], "digest": digest, "uri": uri} if details else None


def prune(site: Site, used: Set[str]) -> None:
    """Delete every image but those at the addresses in `used`.

    Not by a lifecycle rule: one counts pushes, and could prune what is live after a few pushes that never went live.
    """
    if site.deployment.target == "local":
        Images(site.settings.home).prune(site.name, {uri.rpartition(":")[2] for uri in used})
    digests = {uri.rpartition("@")[2] for uri in used}
    pages = site.aws.ecr.get_paginator("list_images").paginate(repositoryName=site.name)
    old = sorted({image["imageDigest"] for page in pages for image in page["imageIds"]} - digests)
    for begin in range(0, len(old), _DELETED_AT_ONCE):
        some: Any = [{"imageDigest": digest} for digest in old[begin : begin + _DELETED_AT_ONCE]]
        site.aws.ecr.batch_delete_image(repositoryName=site.name, imageIds=some)


def _tag(site: Site) -> str:
    settings, base = site.settings, site.settings.base_image
    if _as_snapshot(site) and (environment := readiness.environment(settings)):
        base = environment.name  # what stands for the base image, whose Python may not be here
    return docker_context.content_tag(settings.image, settings.architecture, base, settings.bundle)


def _as_snapshot(site: Site) -> bool:
    return site.deployment.target == "local" and not site.settings.docker


def _snapshot_state(site: Site, tag: str) -> State:
    # Its address does not hang on the repository's being there.
    return State({"tag": tag, "uri": f"{local_uri(site)}:{tag}"}, {"tag": tag})


def _pushed_state(site: Site, tag: str, digest: str) -> State:
    repository = site.deployment.resources.get("repository", {}).get("uri", site.name)
    return State({"tag": tag, "digest": digest, "uri": f"{repository}@{digest}"}, {"tag": tag})
