"""The inbox in memory: the contract, and what only it can do."""

from __future__ import annotations

import pytest

from tests.webhooks.inbox_contract import HOOKS, MAIN, InboxContract
from tests.webhooks.samples import NOW, a_delivery
from webhooks.deliveries import Inbox
from webhooks.errors import InboxUnavailable
from webhooks.memory import MemoryInbox, Refusal


class TestMemoryInbox(InboxContract):
    @pytest.fixture
    def inbox(self) -> Inbox:
        return MemoryInbox(HOOKS)


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
