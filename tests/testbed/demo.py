"""The demo with its steps as Pods: `python -m tests.testbed.demo`, or `make demo-cluster`."""

from __future__ import annotations

import subprocess
import sys

from tests.support.cluster import testbed_for_this_run
from tests.testbed import images
from tests.testbed.tools import TestbedError


def main() -> int:
    """Show the main job on a cluster; return the demo's exit code, 1 where there is no cluster."""
    try:
        with testbed_for_this_run() as testbed:
            python = testbed.load(images.python())
            settings = testbed.settings(HOOKLINE_KUBERNETES__DEFAULT_IMAGE=python)
            words = [word for item in settings.items() for word in ("--set", "=".join(item))]
            return subprocess.run(
                [sys.executable, "-m", "examples.demo", *words], check=False
            ).returncode
    except TestbedError as error:
        sys.stderr.write(f"demo-cluster: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
