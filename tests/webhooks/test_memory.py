"""The inbox in memory: the contract, and what only it can do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.events import Push
from tests.webhooks.inbox_contract import HOOKS, MAIN, InboxContract
from tests.webhooks.samples import NEW, NOW, a_delivery
from webhooks.deliveries import Inbox
from webhooks.errors import InboxUnavailable
from webhooks.memory import MemoryInbox, Refusal


class TestMemoryInbox(InboxContract):
    @pytest.fixture
    def inbox(self) -> Inbox:
        return MemoryInbox(HOOKS)


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads change places as often as they can, so that a missing lock shows."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless")
def test_many_acts_told_by_many_threads_are_one_run_each() -> None:
    inbox = MemoryInbox(HOOKS)
    pushes = [Push(branch=f"b{number}", commit=NEW) for number in range(300)]

    def tell(thread: int) -> None:
        for push in pushes:
            inbox.accept(a_delivery(MAIN, f"{thread} {push.branch}", events=(push,)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tell, range(8)))
    assert sorted(run.number for run in inbox.runs) == list(range(1, 301))


def test_refusals_can_be_looked_at() -> None:
    inbox = MemoryInbox(HOOKS)
    inbox.refuse(MAIN, "signature-wrong", NOW)
    inbox.refuse(None, "too-large", NOW)
    refused = [Refusal("hook-main", "signature-wrong", NOW), Refusal(None, "too-large", NOW)]
    assert inbox.refusals == refused


def test_it_can_be_away() -> None:
    inbox = MemoryInbox(HOOKS)
    inbox.available = False
    with pytest.raises(InboxUnavailable):
        inbox.hook("hook-main")
    with pytest.raises(InboxUnavailable):
        inbox.accept(a_delivery(MAIN))
    with pytest.raises(InboxUnavailable):
        inbox.refuse(None, "x", NOW)
    inbox.available = True
    assert inbox.accept(a_delivery(MAIN)).runs


def test_addresses() -> None:
    inbox = MemoryInbox(HOOKS, address="https://ci.example", follow="/follow")
    receipt = inbox.accept(a_delivery(MAIN))
    assert receipt.runs[0].url == "https://ci.example/runs/run-1"
    assert receipt.follow == "/follow/run-1"
    assert inbox.accept(a_delivery(MAIN, "two", events=(), ignored="ping")).follow is None
