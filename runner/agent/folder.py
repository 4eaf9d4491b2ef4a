"""The folder of an attempt: the files through which its agent and the executor tell each other.

| file | who writes it | what it says |
| --- | --- | --- |
| `order.json` | executor | what to run; its environment and secrets come by a pipe |
| `alive` | agent | locked while the agent lives; holds its process id |
| `waiting` | agent | locked until the step's command may run |
| `stop` | executor | the attempt is to end |
| `started` | agent | the step's command may have run, since this time |
| `group` | agent | the process group of the step's command |
| `output` | step | what `CI_OUTPUT` names |
| `result.json` | agent | how it ended; the last thing it writes |
| `agent.log` | agent | what Python said if the agent itself broke |
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class AgentOrder:
    """An order as the agent reads it, with the places it needs.

    `name` is the attempt's name, `objects` the folder of the object store, `workspaces` that of
    the run's workspaces, `log` the file for the step's log, of at most `log_limit` bytes. Times
    are seconds.
    """

    name: str
    command: tuple[str, ...]
    input: str
    outputs: tuple[str, ...]
    artifacts: tuple[str, ...]
    timeout: float
    grace: float
    objects: str
    workspaces: str
    log: str
    log_limit: int


@dataclass(frozen=True, kw_only=True)
class AgentResult:
    """How an attempt ended, field by field as in `runner.executors.base.Result`, in plain words.

    An artifact is a mapping of `path`, `size` and `digest`.
    """

    outcome: str
    ended_at: float
    cause: str = ""
    exit_code: int | None = None
    message: str = ""
    started: bool = False
    started_at: float | None = None
    snapshot: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    artifacts: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()


class Folder:
    """The files of one attempt, under `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.alive = path / "alive"
        self.waiting = path / "waiting"
        self.stop = path / "stop"
        self.started = path / "started"
        self.output = path / "output"
        self.complaints = path / "agent.log"
        self._order = path / "order.json"
        self._group = path / "group"
        self._result = path / "result.json"

    def write_order(self, order: AgentOrder) -> None:
        """Put the order down, whole or not at all."""
        _replace(self._order, asdict(order), durable=False)

    def read_order(self) -> AgentOrder:
        """Return the order; raise `OSError` or `ValueError` if it cannot be read."""
        record = json.loads(self._order.read_bytes())
        lists = {name: tuple(record[name]) for name in ("command", "outputs", "artifacts")}
        return AgentOrder(**{**record, **lists})

    def write_started(self, at: float) -> None:
        """Put down, to stay, that the command may run from now on; `at` is the time."""
        _replace(self.started, at, durable=True)

    def read_started(self) -> float | None:
        """Return when the command was let go, None if it never was."""
        try:
            return float(self.started.read_bytes())
        except FileNotFoundError:
            return None

    def write_group(self, group: int) -> None:
        """Put down the step's process group."""
        _replace(self._group, group, durable=False)

    def read_group(self) -> int | None:
        """Return the step's process group, None if it has none yet."""
        try:
            return int(self._group.read_bytes())
        except FileNotFoundError:
            return None

    def read_pid(self) -> int | None:
        """Return the process id of the agent, None if it has not told it yet.

        It means something only while `alive` is locked.
        """
        try:
            text = self.alive.read_bytes()
        except FileNotFoundError:
            return None
        return int(text) if text else None

    def write_result(self, result: AgentResult) -> None:
        """Put the result down, whole and to stay."""
        _replace(self._result, asdict(result), durable=True)

    def read_result(self) -> AgentResult | None:
        """Return the result, None if there is none; raise `ValueError` for a damaged one."""
        try:
            record = json.loads(self._result.read_bytes())
        except FileNotFoundError:
            return None
        try:
            lists = {name: tuple(record[name]) for name in ("artifacts", "warnings")}
            return AgentResult(**{**record, **lists})
        except (KeyError, TypeError) as error:
            message = f"{self._result.name} is no result: {error}"
            raise ValueError(message) from error


def _replace(path: Path, value: object, *, durable: bool) -> None:
    """Write a file as JSON under another name and rename it; a durable one outlives the power."""
    draft = path.with_name(path.name + ".new")
    with open(draft, "w", encoding="utf-8", opener=_private) as file:
        json.dump(value, file)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
    if durable:
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
