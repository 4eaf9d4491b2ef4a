"""Reports that the agent itself broke, with as little as may be broken too."""

from __future__ import annotations

import json
import traceback

from runner.agent.pod.console import Console


def tell(error: BaseException, console: Console | None, termination: str, now: float) -> None:
    """Tell the end in the agent's log and in the file for the termination message.

    `console` is None if the agent broke before it had one; `now` is in seconds since the epoch.
    """
    console = console or Console()
    console.say("".join(traceback.format_exception(error)))
    record = json.dumps(
        {
            "outcome": "error",
            "cause": "executor",
            "message": f"the agent broke: {type(error).__name__}: {str(error)[:300]}",
            "started": console.started_at is not None,
            "started_at": console.started_at,
            "ended_at": now,
            "log": console.log_size,
        }
    )
    console.ended(record)
    with open(termination, "w", encoding="utf-8") as file:
        file.write(record)
