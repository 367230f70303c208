"""Manifests with media types of both kinds become OCI's, and others stay as they are."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lambdacap.resources.manifest import MANIFESTS, unified

DOCKER = (
    MANIFESTS[0],
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
)
OCI = (MANIFESTS[1], "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip")


def manifest(whole: str, config: str, *layers: str) -> dict[str, Any]:
    parts = [{"mediaType": layer, "digest": f"sha256:{n}", "size": n} for n, layer in enumerate(layers)]
    return {
        "schemaVersion": 2,
        "mediaType": whole,
        "config": {"mediaType": config, "digest": "sha256:c"},
        "layers": parts,
    }


@pytest.mark.parametrize("kind", [DOCKER, OCI])
def test_what_is_of_one_kind_stays(kind: tuple[str, str, str]) -> None:
    whole, config, layer = kind
    for one in (manifest(whole, config, layer, layer), manifest(whole, config)):
        assert unified(copy.deepcopy(one)) == one


@pytest.mark.parametrize(
    "mixed",
    [
        manifest(OCI[0], OCI[1], DOCKER[2], OCI[2]),
        manifest(OCI[0], OCI[1], DOCKER[2]),
        manifest(DOCKER[0], DOCKER[1], DOCKER[2], OCI[2]),
        manifest(OCI[0], DOCKER[1], OCI[2]),
    ],
)
def test_what_is_mixed_becomes_oci_s(mixed: dict[str, Any]) -> None:
    assert unified(copy.deepcopy(mixed)) == manifest(OCI[0], OCI[1], *[OCI[2]] * len(mixed["layers"]))


def test_a_manifest_that_does_not_name_its_own_type() -> None:
    mixed = manifest("", OCI[1], DOCKER[2], OCI[2])
    del mixed["mediaType"]
    assert unified(mixed)["mediaType"] == MANIFESTS[1]


def test_what_is_no_manifest_stays() -> None:
    assert unified({}) == {}
