"""`python -m tests.testbed up|down|status|build`: the testbed by hand, as `make cluster-…` does it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.testbed.tools import PROGRAMS, TestbedError, binary


def main() -> int:
    """Do as told; return the exit code: 0, 1 with a reason on stderr, 3 if it does not serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.testbed", description=__doc__)
    parser.add_argument("act", choices=["up", "down", "status", "build"])
    parser.add_argument("--folder", type=Path, help="where its state is (default: as in the docs)")
    parser.add_argument(
        "--cut-off", action="store_true", help="Pods reach the object store and nothing else"
    )
    given = parser.parse_args()
    try:
        return _act(given.act, given.folder, cut_off=given.cut_off)
    except TestbedError as error:
        sys.stderr.write(f"testbed: {error}\n")
        return 1


def _act(act: str, folder: Path | None, *, cut_off: bool) -> int:
    if act == "build":
        for name in PROGRAMS:
            binary(name)
        return 0
    # What follows needs third-party packages; `build` must not, as it comes before they are there.
    from tests.testbed import cluster, layout

    place = folder.absolute() if folder else layout.default_folder()
    begun = time.monotonic()
    if act == "up":
        _up(place, cut_off=cut_off)
        sys.stderr.write(f"testbed: up after {time.monotonic() - begun:.1f} s\n")
        return 0
    if act == "down":
        cluster.down(place)
        sys.stderr.write(f"testbed: down after {time.monotonic() - begun:.1f} s\n")
        return 0
    return _status(place)


def _up(folder: Path, *, cut_off: bool) -> None:
    """Start it and print what a shell has to know: `eval "$(make --silent cluster-up)"`."""
    from tests.testbed import cluster, layout, namespaces

    found = cluster.up(folder)
    namespaces.cut_off(found.layout, found.holder, cut_off)
    told = {
        "KUBECONFIG": found.layout.kubeconfig,
        "HOOKLINE_TEST_BED": folder,
        "HOOKLINE_TEST_S3_ENDPOINT": found.layout.store,
        "HOOKLINE_TEST_S3_ACCESS_KEY": layout.ACCESS_KEY,
        "HOOKLINE_TEST_S3_SECRET_KEY": found.secret_key,
        "HOOKLINE_TEST_S3_BUCKET": layout.BUCKET,
    }
    sys.stdout.writelines(f"export {name}={value}\n" for name, value in told.items())


def _status(folder: Path) -> int:
    from tests.testbed import cluster

    found = cluster.find(folder)
    if found is None:
        sys.stdout.write(f"no testbed in {folder}\n")
        return 3
    sys.stdout.write(f"testbed in {folder}: {found.layout.api}, {found.layout.store}\n")
    states = found.states()
    for name, runs in states.items():
        sys.stdout.write(f"  {name:20} {'runs' if runs else 'does not run'}\n")
    serves = found.serves()
    sys.stdout.write(f"  {'ready for Pods' if serves else 'not ready for Pods'}\n")
    return 0 if serves else 3


if __name__ == "__main__":
    sys.exit(main())
