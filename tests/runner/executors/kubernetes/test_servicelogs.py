"""What is kept of the logs of services, and what is not."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runner.clock import ManualClock
from runner.executors.base import AttemptId, Order, Outline, Service
from runner.executors.kubernetes.cases import Case
from runner.executors.kubernetes.servicelogs import LARGEST, ServiceLogs
from runner.executors.kubernetes.views import PodView, read_pod
from runner.kube.errors import KubeError, NotReady
from runner.kube.podspec import make_pod
from runner.logs import LogBook
from runner.objects.memory import MemoryStore
from runner.settings_model import Kubernetes

ATTEMPT = AttemptId("01run", "test", 1)


@dataclass
class Said:
    """What containers wrote, or why that cannot be read."""

    logs: Mapping[str, bytes | Exception]
    limits: list[int | None] = field(default_factory=list)

    def pod_log(
        self, name: str, container: str, *, limit: int | None
    ) -> AbstractContextManager[Iterable[bytes]]:
        assert name.startswith("01run-test-")
        self.limits.append(limit)
        said = self.logs[container]
        if isinstance(said, Exception):
            raise said
        return nullcontext([said[:7], said[7:]])


def a_pod(services: Iterable[str], secrets: Mapping[str, str]) -> PodView:
    outline = Outline(
        attempt=ATTEMPT,
        image="x",
        services=tuple(Service(name=name, image="x") for name in services),
        secrets=secrets,
    )
    pod: dict[str, Any] = make_pod(outline, Kubernetes(), go=True, waiting=60, born=0)
    view = read_pod(pod)
    assert view is not None
    return view


def kept(
    tmp_path: Path,
    logs: Mapping[str, bytes | Exception],
    secrets: Mapping[str, str],
    *,
    known: bool = True,
) -> dict[str, list[str]]:
    """Return what is kept by service when containers have written something."""
    book = LogBook(tmp_path, MemoryStore())
    said = Said({f"service-{name}": text for name, text in logs.items()})
    keeper = ServiceLogs(said, book, ManualClock())
    case, pod = Case(ATTEMPT), a_pod(logs, secrets)
    if known:
        case.order = Order(
            attempt=ATTEMPT, command=("true",), environment={}, input="", secrets=secrets
        )
    keeper.keep(case, pod)
    asked = len(said.limits)
    keeper.keep(case, pod)
    assert len(said.limits) == asked
    assert set(said.limits) <= {LARGEST}
    return {
        name: [line.text for line in book.read_service(ATTEMPT, name)]
        for name in book.services(ATTEMPT)
    }


def test_the_lines_of_each(tmp_path: Path) -> None:
    logs = {"db": b"up\n\nand going\r\n", "queue": b"no end", "quiet": b""}
    assert kept(tmp_path, logs, {}) == {
        "db": ["up", "", "and going\r"],
        "queue": ["no end"],
        "quiet": [],
    }


def test_without_the_secrets_of_the_step(tmp_path: Path) -> None:
    logs = {"db": b"login failed: s3cr3t-word\ns3cr3t-word"}
    told = kept(tmp_path, logs, {"WORD": "s3cr3t-word"})
    assert told == {"db": ["login failed: ***", "***"]}


def test_none_where_secrets_are_not_known(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "hookline.kubernetes"):
        assert kept(tmp_path, {"db": b"up"}, {"WORD": "s3cr3t-word"}, known=False) == {}
    assert "they may hold secrets" in caplog.text
    assert kept(tmp_path, {"db": b"up"}, {}, known=False) == {"db": ["up"]}


def test_a_log_that_is_too_long_says_so(tmp_path: Path) -> None:
    told = kept(tmp_path, {"db": b"x" * LARGEST}, {})["db"]
    assert told[1:] == [f"[the log is larger than {LARGEST} bytes: the rest is not kept]"]


def test_what_cannot_be_read_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logs: dict[str, bytes | Exception] = {
        "never": NotReady("is waiting to start", status=400, reason="BadRequest"),
        "broken": KubeError("broke off"),
        "fine": b"up\n",
    }
    with caplog.at_level(logging.WARNING, "hookline.kubernetes"):
        assert kept(tmp_path, logs, {}) == {"fine": ["up"]}
    assert "service `broken`" in caplog.text
    assert "never" not in caplog.text
