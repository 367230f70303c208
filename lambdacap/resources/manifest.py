"""An image's manifest in ECR, made one that Lambda runs: a single image, its media types all of one kind."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lambdacap.aws.answer import Answer, document
from lambdacap.aws.clients import found
from lambdacap.errors import AwsError
from lambdacap.resources.resource import Site
from lambdacap.settings import ARCHITECTURES

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
"""What Lambda runs (its guide: create a function from a container image)."""
INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
"""Several images under one name, say with BuildKit's attestations: what it does not run."""
_AS_OCI = {
    MANIFESTS[0]: MANIFESTS[1],
    "application/vnd.docker.container.image.v1+json": "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}


def settle(site: Site, tag: str, digest: str) -> str:
    """The digest under which Lambda runs the image `tag`: another than `digest` if its manifest had to be rewritten.

    Docker with containerd's image store puts layers of its own kind beside those of the base image, and BuildKit
    pushes an index. The blobs are the same either way. Raises `AwsError` for what no manifest makes runnable.
    """
    name = f"{site.name}:{tag}"
    try:
        return _settled(site, name, tag, digest)
    except (AttributeError, LookupError, TypeError) as error:
        raise AwsError(
            f"the manifest of {name} in ECR cannot be read: {error}",
            hint="Delete that tag in ECR, and let lambdacap build and push it.",
        ) from error


def _settled(site: Site, name: str, tag: str, digest: str) -> str:
    original = _read(site, {"imageDigest": digest})
    manifest = original
    if "manifests" in original:
        manifest = _read(site, {"imageDigest": _single(original, site.settings.architecture, name)})
    if any(layer["mediaType"].endswith("zstd") for layer in manifest.get("layers", [])):
        raise AwsError(
            f"a layer of {name} in ECR is compressed with zstd, which Lambda does not run",
            hint="It comes with the base image: --base-image names another, or one with gzip's layers.",
        )
    manifest = unified(manifest)
    return digest if manifest == original else _replace(site, tag, manifest)


def unified(manifest: dict[str, Any]) -> dict[str, Any]:
    """`manifest` with the media types of one kind: as it is if they are, otherwise OCI's."""
    parts = [manifest, *(part for part in (manifest.get("config"), *manifest.get("layers", [])) if part)]
    docker = [".docker." in part.get("mediaType", "") for part in parts if part.get("mediaType")]
    if all(docker) or not any(docker):
        return manifest

    def as_oci(part: dict[str, Any]) -> dict[str, Any]:
        return {**part, "mediaType": _AS_OCI.get(part["mediaType"], part["mediaType"])}

    whole = as_oci({"mediaType": MANIFESTS[1], **manifest})
    return {**whole, "config": as_oci(manifest["config"]), "layers": [as_oci(layer) for layer in manifest["layers"]]}


def _single(index: dict[str, Any], architecture: str, name: str) -> str:
    """The digest of the image for `architecture`; attestations are for no platform."""
    wanted = ARCHITECTURES[architecture]
    for entry in index["manifests"]:
        platform = entry.get("platform", {})
        if f"{platform.get('os')}/{platform.get('architecture')}" == wanted:
            digest: str = entry["digest"]
            return digest
    raise AwsError(
        f"{name} in ECR is an index without an image for {wanted}, and Lambda runs no other",
        hint="Delete that tag in ECR, and let lambdacap build and push it.",
    )


def _read(site: Site, image: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's image id
    answer = site.aws.ecr.batch_get_image(
        repositoryName=site.name, imageIds=[image], acceptedMediaTypes=[*MANIFESTS, *INDEXES]
    )
    if not answer["images"]:
        raise AwsError(
            f"the image {image['imageDigest']} is gone from {site.name} in ECR", hint="Run the same command again."
        )
    manifest = document(answer["images"][0]["imageManifest"])
    if not isinstance(manifest, dict):
        raise AwsError(
            f"the image {image['imageDigest']} in ECR has no manifest that can be read",
            hint="Delete it in ECR, and let lambdacap build and push it.",
        )
    return Answer(manifest, "BatchGetImage")


def _replace(site: Site, tag: str, manifest: dict[str, Any]) -> str:
    """Let `tag` name `manifest`.

    Tags of the repository cannot be moved, and blobs that no image names may go: the new image is there before the
    old one goes.
    """
    text = json.dumps(manifest, separators=(",", ":"))
    put = {
        "repositoryName": site.name,
        "imageManifest": text,
        "imageManifestMediaType": manifest.get("mediaType", MANIFESTS[1]),
    }
    found(lambda: site.aws.ecr.put_image(**put), "ImageAlreadyExistsException")
    site.aws.ecr.batch_delete_image(repositoryName=site.name, imageIds=[{"imageTag": tag}])
    site.aws.ecr.put_image(**put, imageTag=tag)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
