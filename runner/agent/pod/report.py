"""Reports the end of an attempt: in the agent's log, in the termination message, in the store."""

from __future__ import annotations

import gzip
import json
import mmap
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

from runner.agent.folder import AgentResult
from runner.agent.pod.attempt import Ended
from runner.agent.pod.console import Console
from runner.agent.pod.places import Places
from runner.agent.pod.store import PresignedStore
from runner.objects.base import ObjectStoreError

# Bytes of the end as it is told. The kubelet keeps 4096 of a container's termination message, and
# 12 KiB of a Pod's in all, each container having its equal share: so much is sure with four.
# https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
ROOM = 3000
# What is left out first, because only a result that is whole needs it.
_LEFT_OUT = ("outputs", "artifacts", "warnings")


class Report:
    """Tells an end; `store` is None where there is no order that says where to write."""

    def __init__(
        self, places: Places, console: Console, store: PresignedStore | None, home: str
    ) -> None:
        self._places = places
        self._console = console
        self._store = store
        self._home = home

    def send(self, ended: Ended) -> None:
        """Tell how the attempt ended, at once if it fits into a line."""
        whole = json.dumps(_record(ended))
        if len(whole) <= ROOM:
            self._tell(whole)
            self._put("result", whole.encode())
        else:
            self._send_large(ended, whole)
        self._send_log()

    def _send_large(self, ended: Ended, whole: str) -> None:
        """Tell an end too large for a line: a line that says less, once the rest can be read."""
        trouble = self._put("result", whole.encode())
        if trouble:
            ended = replace(ended, result=_without_outputs(ended.result, trouble))
        self._tell(shortened(_record(ended), whole=bool(trouble)))

    def _tell(self, record: str) -> None:
        self._console.ended(record)
        try:
            Path(self._places.termination).write_text(record, encoding="utf-8")
        except OSError as error:
            self._console.say(f"the termination message cannot be written: {error.strerror}")

    def _send_log(self) -> None:
        """Store the step's log; it is mapped, not read, as the agent has little memory."""
        packed = Path(f"{self._places.log}.gz")
        try:
            with (
                _open_log(self._places.log) as source,
                gzip.GzipFile(packed, "wb", compresslevel=6, mtime=0) as target,
            ):
                shutil.copyfileobj(source, target)
            with (
                packed.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as view,
            ):
                self._put("log", view)
        except OSError as error:
            self._console.say(f"the log cannot be packed: {error.strerror}")

    def _put(self, name: str, data: bytes | memoryview) -> str:
        """Store an object of the attempt; return why it could not be, and say so."""
        if self._store is None:
            return "there is no order that says where"
        try:
            self._store.put(f"{self._home}/{name}", data)
        except ObjectStoreError as error:
            self._console.say(str(error))
            return str(error)
        return ""


def shortened(record: Mapping[str, Any], *, whole: bool) -> str:
    """Return a record as JSON of at most `ROOM` bytes; it says if there is more in `result`."""
    short = dict(record) if whole else {**record, "whole": False}
    text = json.dumps(short)
    for name in _LEFT_OUT:
        if len(text) > ROOM:
            del short[name]
            text = json.dumps(short)
    message = str(short["message"])
    while len(text) > ROOM:
        message = message[: len(message) * 3 // 4]
        text = json.dumps({**short, "message": f"{message}…"})
    return text


def _record(ended: Ended) -> dict[str, Any]:
    record = {**asdict(ended.result), "log": ended.log_size}
    return {**record, "unconfirmed": True} if ended.unconfirmed else record


def _without_outputs(result: AgentResult, trouble: str) -> AgentResult:
    """Return a result whose outputs and artifacts got lost: that is no success, if it had any."""
    if not (result.outputs or result.artifacts):
        return result
    message = f"the outputs and artifacts cannot be stored: {trouble}"
    result = replace(result, outputs={}, artifacts=())
    if result.outcome == "success":
        return replace(result, outcome="error", cause="storage", message=message)
    return replace(result, warnings=(message, *result.warnings))


def _open_log(path: str) -> BinaryIO:
    """Return the step's log, which is empty if the step never began."""
    with suppress(FileNotFoundError):
        return open(path, "rb")
    return open(os.devnull, "rb")
