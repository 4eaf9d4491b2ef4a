"""The agent as a Pod's first process: `python runner/agent/pod/__main__.py [--NAME PATH...]`.

The names are those in `runner/agent/pod/places.py`; besides them, `--path FOLDER` says where else to
look for packages. What the agent says goes to its output: `docs/pods.md` describes it.
"""

from __future__ import annotations

import gc
import os
import sys
import time

HERE = __file__.removesuffix("/runner/agent/pod/__main__.py")


def main(arguments: list[str]) -> None:
    """Live through one attempt; raise `SystemExit` with 1 if the agent itself broke."""
    # After sys.path is set, and no more than this: until the launcher is in its place the kubelet
    # does not start the step's container. The rest is imported while it does.
    from runner.agent.pod.launcher import Launcher  # noqa: PLC0415
    from runner.agent.pod.places import Places  # noqa: PLC0415
    from runner.agent.signals import Signals  # noqa: PLC0415

    # Before anything that takes time: a process 1 without a handler never hears of a signal.
    signals = Signals()
    places = Places(arguments)
    console = None
    try:
        launcher = Launcher(places.control, places.launcher)
        from runner.agent.pod.console import Console  # noqa: PLC0415

        console = Console()
        from runner.agent.pod.life import Life  # noqa: PLC0415

        # What was imported stays; to look through it for garbage takes longer than to import it.
        gc.freeze()
        gc.enable()
        Life(places, launcher, signals, console, os.environ).live()
    except BaseException as error:
        from runner.agent.pod.breakdown import tell  # noqa: PLC0415

        tell(error, console, places.termination, time.time())
        raise SystemExit(1) from error


if __name__ == "__main__":
    gc.disable()
    given = sys.argv[1:]
    pairs = zip(given[::2], given[1::2], strict=False)
    # At the end, so that the many modules of the standard library are found at once.
    sys.path += [HERE, *(value for name, value in pairs if name == "--path")]
    main(given)
