"""An image in ECR without a Docker engine, by the calls that `docker push` comes to."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from lambdacap.images import docker_context
from lambdacap.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def content_tag(settings: Settings) -> str:
    """The tag under which a deploy looks for the image."""
    return docker_context.content_tag(settings.image, settings.architecture, settings.base_image, settings.bundle)


def push_image(ecr: ECRClient, repository: str, tag: str) -> None:
    """An image with nothing in it; another tag is another image."""
    blob = f"the configuration of {tag}".encode()
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=repository, uploadId=upload, partFirstByte=0, partLastByte=len(blob) - 1, layerPartBlob=blob
    )
    ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[digest])
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(blob), "digest": digest}
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": []}
    ecr.put_image(
        repositoryName=repository,
        imageManifest=json.dumps(manifest),
        imageManifestMediaType=_MANIFEST,
        imageTag=tag,
    )
