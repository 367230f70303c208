"""An image as BuildKit leaves it in containerd's image store: an index of the image and an attestation of its build."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import IO, Any

_OCI = "application/vnd.oci.image"


def archive(name: str, labels: dict[str, str]) -> IO[bytes]:
    """What `docker load` takes: the image `name` for linux/amd64 with `labels`, of one small file."""
    blobs: dict[str, bytes] = {}

    def add(media_type: str, content: object, **more: object) -> dict[str, Any]:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data), **more}

    def image(files: dict[str, bytes], layer: str, platform: dict[str, str], config: object) -> dict[str, Any]:
        tar = _tar(files)
        data = gzip.compress(tar) if layer.endswith("gzip") else files["statement"]
        rootfs = {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]}
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": add(f"{_OCI}.config.v1+json", {**platform, "config": config, "rootfs": rootfs}),
            "layers": [add(layer, data)],
        }
        return add(f"{_OCI}.manifest.v1+json", manifest, platform=platform)

    here = {"os": "linux", "architecture": "amd64"}
    single = image({"handler.py": b"1\n"}, f"{_OCI}.layer.v1.tar+gzip", here, {"Labels": labels})
    unknown = {"os": "unknown", "architecture": "unknown"}
    attestation = image({"statement": b"{}"}, "application/vnd.in-toto+json", unknown, {})
    attestation["annotations"] = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": single["digest"],
    }
    index = {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": [attestation, single]}
    named = add(f"{_OCI}.index.v1+json", index, annotations={"io.containerd.image.name": _full(name)})
    whole = {"schemaVersion": 2, "mediaType": index["mediaType"], "manifests": [named]}
    return io.BytesIO(
        _tar({"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(whole).encode(), **blobs})
    )


def _full(name: str) -> str:
    return name if "." in name.partition("/")[0] else f"docker.io/library/{name}"


def _tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()
