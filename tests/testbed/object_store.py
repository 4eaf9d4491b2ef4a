"""MinIO on the node: the object store that Pods and tests reach under the same address."""

from __future__ import annotations

import subprocess

from tests.testbed.layout import ACCESS_KEY, BUCKET, Layout
from tests.testbed.processes import ENVIRONMENT
from tests.testbed.tools import TestbedError, binary


def minio(layout: Layout) -> list[str]:
    """Return MinIO's command: one drive."""
    address = layout.store.removeprefix("http://")
    folder = layout.folder / "minio"
    return [str(binary("minio")), "server", "--quiet", "--address", address, str(folder)]


def environment(secret_key: str) -> dict[str, str]:
    """Return MinIO's settings; it refuses folders on the root disk unless told that this is a test."""
    return {
        "MINIO_ROOT_USER": ACCESS_KEY,
        "MINIO_ROOT_PASSWORD": secret_key,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_CI_CD": "1",
    }


def make_bucket(layout: Layout, secret_key: str) -> None:
    """Make the bucket for tests, if it is not there."""
    host = layout.store.replace("http://", f"http://{ACCESS_KEY}:{secret_key}@")
    configuration = ["--config-dir", str(layout.folder / "mc")]
    done = subprocess.run(
        [binary("mc"), *configuration, "mb", "--ignore-existing", f"testbed/{BUCKET}"],
        env={**ENVIRONMENT, "MC_HOST_testbed": host},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"no bucket {BUCKET} at {layout.store}: {done.stderr or done.stdout}"
        raise TestbedError(message)
