"""An image of one static program, as an OCI archive: for the Pods' sandboxes nothing more is needed.

The format: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Sequence
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_TYPE = "application/vnd.oci.image"


def write_archive(archive: Path, name: str, program: Path, command: Sequence[str]) -> None:
    """Write an image called `name` that holds the program under its own name and runs `command`."""
    layer = _tar({f"bin/{program.name}": program.read_bytes()}, 0o755)
    config = {
        "architecture": _ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Cmd": list(command), "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    blobs = {_digest(layer): layer}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_TYPE}.manifest.v1+json",
        "config": _add(blobs, f"{_TYPE}.config.v1+json", config),
        "layers": [_descriptor(f"{_TYPE}.layer.v1.tar", layer)],
    }
    listed = _add(blobs, f"{_TYPE}.manifest.v1+json", manifest)
    listed["annotations"] = {"org.opencontainers.image.ref.name": name}
    files = {f"blobs/{digest.replace(':', '/')}": blob for digest, blob in blobs.items()}
    files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [listed]}).encode()
    archive.write_bytes(_tar(files, 0o644))


def _add(blobs: dict[str, bytes], kind: str, value: object) -> dict[str, object]:
    blob = json.dumps(value).encode()
    blobs[_digest(blob)] = blob
    return _descriptor(kind, blob)


def _descriptor(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return whole.getvalue()
