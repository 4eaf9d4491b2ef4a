"""The agent as a process: `python runner/agent/__main__.py FOLDER ALIVE WAITING [PATH...]`.

FOLDER is the attempt's folder, ALIVE and WAITING are descriptors that hold the locks of those
files, the PATHs are where else to look for packages. The environment of the step comes as JSON on
the standard input: `{"environment": {...}, "secrets": {...}}`. Whatever goes wrong becomes a result.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path

HERE = str(Path(__file__).parents[2])


def main(arguments: list[str]) -> None:
    """Run the attempt in a folder and put down its result, then let go of its lock."""
    from runner.agent.folder import AgentResult, Folder  # noqa: PLC0415 (after sys.path is set)

    folder = Folder(Path(arguments[0]))
    alive, waiting = int(arguments[1]), int(arguments[2])
    for descriptor in (alive, waiting):
        os.set_inheritable(descriptor, False)
    try:
        # An import that fails must become a result too.
        from runner.agent.life import live  # noqa: PLC0415

        # What was imported stays; to look through it for garbage takes longer than to import it.
        gc.freeze()
        gc.enable()
        handed = json.load(sys.stdin)
        result = live(folder, alive, waiting, handed["environment"], handed["secrets"])
    except BaseException as error:
        message = f"the agent broke: {type(error).__name__}: {error}"
        started_at = folder.read_started()
        result = AgentResult(
            outcome="error",
            cause="executor",
            message=message,
            started=started_at is not None,
            started_at=started_at,
            ended_at=time.time(),
        )
        folder.write_result(result)
        raise
    folder.write_result(result)
    # Whoever waits for the end need not wait for the interpreter's.
    os.close(alive)


if __name__ == "__main__":
    gc.disable()
    # At the end, so that the many modules of the standard library are found at once.
    sys.path += [HERE, *sys.argv[4:]]
    main(sys.argv[1:4])
