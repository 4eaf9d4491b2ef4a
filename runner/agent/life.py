"""The life of an agent: says that it is there, hears who wants it to end, runs its attempt."""

from __future__ import annotations

import os
from collections.abc import Mapping

from runner.agent import leftovers
from runner.agent.attempt import Attempt
from runner.agent.folder import AgentResult, Folder
from runner.agent.signals import Signals


def live(
    folder: Folder,
    alive: int,
    waiting: int,
    environment: Mapping[str, str],
    secrets: Mapping[str, str],
) -> AgentResult:
    """Return how the attempt in a folder ended.

    `alive` and `waiting` are descriptors that hold the locks of those files; the second is closed
    when the step's command may run, `environment` and `secrets` are what it gets.
    """
    signals = Signals()
    try:
        # Whoever asks for the end puts `stop` down first and then reads the process id: with the
        # opposite order here, one of the two always sees the other.
        os.pwrite(alive, str(os.getpid()).encode(), 0)
        if folder.stop.exists():
            signals.stop()
        leftovers.adopt_orphans()
        attempt = Attempt(
            folder,
            folder.read_order(),
            environment,
            secrets=secrets,
            signals=signals,
            let_go=lambda: os.close(waiting),
        )
        return attempt.run()
    finally:
        signals.close()
