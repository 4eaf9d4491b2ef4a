"""What the API answers, as `runner/api/run_view.py` shapes it, with the parts that a test names."""

from __future__ import annotations

from typing import Any

BEGAN = 1_750_000_000.0


def a_run(**parts: Any) -> dict[str, Any]:
    """Return a run that took two minutes, without steps."""
    return {
        "id": "01run",
        "number": 7,
        "repository": "acme/demo",
        "url": "http://ci/runs/01run",
        "event": "push",
        "trust": "trusted",
        "ref": "refs/heads/main",
        "branch": "main",
        "commit": "c0ffee" * 6 + "beef",
        "message": "Fix it\n\nBecause.",
        "author": "Ada",
        "status": "success",
        "reason": "",
        "attempt": 1,
        "created_at": BEGAN,
        "started_at": BEGAN + 1,
        "ended_at": BEGAN + 121,
        "errors": [],
        "warnings": [],
        "asked": [],
        "steps": [],
        **parts,
    }


def a_step(name: str, state: str = "success", tries: int = 1, **parts: Any) -> dict[str, Any]:
    """Return a step that took two seconds; all of its tries have ended if it has."""
    ended = BEGAN + 3 if state not in ("pending", "queued", "running", "retrying") else None
    result = {
        "outcome": state,
        "cause": "",
        "reason": "",
        "exit_code": 0,
        "started_at": BEGAN + 1,
        "ended_at": ended,
        "outputs": {},
        "artifacts": [],
        "warnings": [],
    }
    return {
        "name": name,
        "kind": "normal",
        "state": state,
        "attempt": tries,
        "allow_failure": False,
        "needs": [],
        "services": [],
        **result,
        "log": "",
        "attempts": [{"number": number + 1, **result, "log": ""} for number in range(tries)],
        **parts,
    }
