from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from pipelines.events import PullRequest, Push, Trust
from pipelines.states import RunStatus
from runner.clock import ManualClock
from runner.database import deliveries, hooks, outbox, repositories, runs
from runner.database.connection import Database, open_database
from runner.database.words import DeliveryOutcome
from runner.inbox import UNTRUSTED, DatabaseInbox
from runner.secrets import Keyring, hook_context
from runner.settings import Local, Settings
from tests.webhooks.inbox_contract import HOOKS, MAIN, OTHER, PULL, PUSH, InboxContract
from tests.webhooks.samples import NEW, NOW, a_delivery
from webhooks.deliveries import Delivery, Receipt
from webhooks.errors import InboxUnavailable

KEYRING = Keyring([bytes(32)])


class Bell:
    def __init__(self) -> None:
        self.rung = 0

    def __call__(self) -> None:
        self.rung += 1


def fill(database: Database) -> None:
    with database.write() as tx:
        for hook in HOOKS:
            repository = repositories.add(
                tx, name=hook.repository, forge=hook.forge, clone_url="https://x/y.git", at=NOW
            )
            context = hook_context(hook.id)
            hooks.add(
                tx,
                hook_id=hook.id,
                repository_id=repository.id,
                forge=hook.forge,
                secrets=tuple(KEYRING.encrypt(secret, context) for secret in hook.secrets),
                at=NOW,
            )


def an_inbox(
    database: Database,
    *,
    allow_untrusted: bool = True,
    bell: Bell | None = None,
    keyring: Keyring = KEYRING,
) -> DatabaseInbox:
    settings = Settings(
        data=Path("unused"),
        url="https://ci.example.com",
        local=Local(allow_untrusted=allow_untrusted),
    )
    return DatabaseInbox(database, keyring, ManualClock(NOW), settings, bell or Bell())


@pytest.fixture
def filled(database: Database) -> Database:
    fill(database)
    return database


class TestDatabaseInbox(InboxContract):
    @pytest.fixture
    def inbox(self, filled: Database) -> DatabaseInbox:
        return an_inbox(filled)


def test_a_run_holds_what_the_event_said(filled: Database) -> None:
    receipt = an_inbox(filled).accept(a_delivery(MAIN, events=(PUSH,)))
    with filled.read() as tx:
        run = runs.find(tx, receipt.runs[0].id)
    assert run is not None
    assert run.event == PUSH
    assert (run.kind, run.branch, run.ref, run.commit) == ("push", "main", PUSH.ref, NEW)
    assert (run.message, run.author, run.trust) == ("Fix", "Ada", Trust.TRUSTED)
    assert (run.status, run.attempt, run.wanted) == (RunStatus.QUEUED, 1, True)


def test_the_pending_status_waits_beside_the_run(filled: Database) -> None:
    run = an_inbox(filled).accept(a_delivery(MAIN)).runs[0]
    with filled.write() as tx:
        (status,) = outbox.of(tx, run.id)
        assert outbox.due(tx, NOW + 1, 10) == []
    assert (status.state, status.held, status.context) == (RunStatus.QUEUED, True, "hookline")
    assert status.url == run.url == f"https://ci.example.com/runs/{run.id}"


def test_the_engine_is_told_of_new_runs_only(filled: Database) -> None:
    bell = Bell()
    inbox = an_inbox(filled, bell=bell)
    inbox.accept(a_delivery(MAIN, "one", events=(), ignored="ping"))
    assert bell.rung == 0
    inbox.accept(a_delivery(MAIN, "two"))
    assert bell.rung == 1
    inbox.accept(a_delivery(MAIN, "two"))
    inbox.accept(a_delivery(MAIN, "three"))
    assert bell.rung == 1


def test_the_engine_sees_the_run_when_it_is_told(filled: Database) -> None:
    seen: list[int] = []

    def look() -> None:
        with filled.read() as tx:
            seen.append(len(runs.page(tx)))

    settings = Settings(data=Path("unused"))
    DatabaseInbox(filled, KEYRING, ManualClock(NOW), settings, look).accept(a_delivery(MAIN))
    assert seen == [1]


def test_a_fork_makes_no_run_on_this_machine(filled: Database) -> None:
    bell = Bell()
    receipt = an_inbox(filled, allow_untrusted=False, bell=bell).accept(
        a_delivery(MAIN, events=(PULL,))
    )
    assert (receipt.runs, receipt.ignored, receipt.duplicate) == ((), UNTRUSTED, False)
    assert bell.rung == 0
    with filled.read() as tx:
        stored = deliveries.told(tx, MAIN.id, receipt.delivery)
        assert stored is not None
        (change,) = deliveries.changes_of(tx, stored.id)
        assert runs.page(tx) == []
    assert (stored.outcome, stored.reason) == (DeliveryOutcome.IGNORED, UNTRUSTED)
    assert (change.run_id, change.reason, change.commit) == (None, UNTRUSTED, NEW)


def test_a_fork_runs_where_that_is_allowed_and_stays_untrusted(filled: Database) -> None:
    receipt = an_inbox(filled).accept(a_delivery(MAIN, events=(PULL,)))
    with filled.read() as tx:
        run = runs.find(tx, receipt.runs[0].id)
    assert run is not None
    assert run.trust is Trust.UNTRUSTED


def test_beside_a_fork_the_others_run(filled: Database) -> None:
    own = PullRequest(**{**vars(PULL), "fork": False, "number": 8})
    receipt = an_inbox(filled, allow_untrusted=False).accept(a_delivery(MAIN, events=(PULL, own)))
    assert (len(receipt.runs), receipt.ignored) == (1, None)


def test_a_ref_too_long_for_an_index_makes_no_run(filled: Database) -> None:
    event = Push(branch="x" * 3000, commit=NEW)
    receipt = an_inbox(filled).accept(a_delivery(MAIN, events=(event,)))
    assert receipt.runs == ()
    assert "longer than 1024 bytes" in str(receipt.ignored)


def test_long_ids_and_odd_texts_are_kept(filled: Database) -> None:
    inbox = an_inbox(filled)
    event = Push(branch="b" * 900, commit=NEW, message="a\0b\ud800c", author="\0")
    receipt = inbox.accept(a_delivery(MAIN, "i" * 5000, events=(event,)))
    assert receipt.delivery == "i" * 5000
    assert inbox.accept(a_delivery(MAIN, "i" * 5000, events=(event,))).duplicate
    with filled.read() as tx:
        run = runs.find(tx, receipt.runs[0].id)
    assert run is not None
    assert run.message == "a\ufffdb\ufffdc"
    assert run.event == event


def test_a_repeated_act_points_at_the_first_run(filled: Database) -> None:
    inbox = an_inbox(filled)
    first = inbox.accept(a_delivery(MAIN, "one"))
    inbox.accept(a_delivery(MAIN, "two"))
    with filled.read() as tx:
        stored = deliveries.told(tx, MAIN.id, "two")
        assert stored is not None
        (change,) = deliveries.changes_of(tx, stored.id)
    assert (change.run_id, change.reason) == (first.runs[0].id, "told before")


def test_only_a_plain_git_push_can_be_followed(filled: Database) -> None:
    inbox = an_inbox(filled)
    assert inbox.accept(a_delivery(MAIN, "one")).follow is None
    receipt = inbox.accept(a_delivery(OTHER, "one"))
    with filled.read() as tx:
        stored = deliveries.told(tx, OTHER.id, "one")
    assert stored is not None
    assert len(stored.id) == 26
    assert receipt.follow == f"/deliveries/{stored.id}/progress"


def test_refusals_are_written_and_do_not_take_the_id(filled: Database) -> None:
    inbox = an_inbox(filled)
    inbox.refuse(MAIN, "signature-wrong", NOW)
    inbox.refuse(None, "signature-wrong", NOW)
    with filled.read() as tx:
        repository = repositories.named(tx, MAIN.repository)
        assert repository is not None
        (refused,) = deliveries.page(tx, repository.id)
    assert (refused.outcome, refused.reason) == (DeliveryOutcome.REFUSED, "signature-wrong")
    assert refused.forge_id is None


def test_a_hook_that_is_gone_takes_nothing(filled: Database) -> None:
    inbox = an_inbox(filled)
    with filled.write() as tx:
        hooks.remove(tx, MAIN.id)
    inbox.refuse(MAIN, "signature-wrong", NOW)
    with pytest.raises(InboxUnavailable, match="removed"):
        inbox.accept(a_delivery(MAIN))


def test_what_breaks_half_way_leaves_nothing(filled: Database) -> None:
    bell = Bell()
    inbox = an_inbox(filled, bell=bell)
    broken = Push(branch="b", commit=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match=r"(?i)not.null"):
        inbox.accept(a_delivery(MAIN, "one", events=(PUSH, broken)))
    assert bell.rung == 0
    with filled.read() as tx:
        assert runs.page(tx) == []
        assert deliveries.told(tx, MAIN.id, "one") is None
    assert inbox.accept(a_delivery(MAIN, "one")).runs[0].number == 1


def test_a_secret_that_does_not_open_is_an_inbox_that_is_away(filled: Database) -> None:
    inbox = an_inbox(filled, keyring=Keyring([b"x" * 32]))
    with pytest.raises(InboxUnavailable, match="not given"):
        inbox.hook(MAIN.id)


def test_two_replicas_make_one_run(database_url: str, filled: Database) -> None:
    copies = 50
    start = Barrier(copies)
    with closing(open_database(database_url)) as second:
        inboxes = [an_inbox(filled), an_inbox(second)]

        def send(number: int) -> Receipt:
            start.wait()
            forge_id = "one" if number % 3 else f"id-{number}"
            return inboxes[number % 2].accept(a_delivery(MAIN, forge_id))

        with ThreadPoolExecutor(copies) as pool:
            receipts = list(pool.map(send, range(copies)))
    assert len({receipt.runs for receipt in receipts}) == 1
    assert sum(not receipt.duplicate for receipt in receipts) == 1
    with filled.read() as tx:
        assert len(runs.page(tx)) == 1
        assert len(outbox.of(tx, receipts[0].runs[0].id)) == 1


def test_different_acts_at_once_get_numbers_without_a_gap(filled: Database) -> None:
    inbox = an_inbox(filled)
    count = 20

    def send(number: int) -> Receipt:
        event = Push(branch=f"b{number}", commit=NEW)
        return inbox.accept(a_delivery(MAIN, f"id-{number}", events=(event,)))

    with ThreadPoolExecutor(count) as pool:
        numbers = [receipt.runs[0].number for receipt in pool.map(send, range(count))]
    assert sorted(numbers) == list(range(1, count + 1))


@pytest.fixture
def away(tmp_path: Path) -> Iterator[DatabaseInbox]:
    """Give an inbox whose database has lost its tables."""
    path = tmp_path / "away.db"
    with closing(open_database(f"sqlite:///{path}")) as database:
        yield an_inbox(database)


def test_trouble_with_the_database_is_an_inbox_that_is_away(away: DatabaseInbox) -> None:
    delivery: Delivery = a_delivery(MAIN)
    with pytest.raises(InboxUnavailable, match="no such table") as caught:
        away.accept(delivery)
    assert caught.value.status == 503
    with pytest.raises(InboxUnavailable):
        away.hook(MAIN.id)
    with pytest.raises(InboxUnavailable):
        away.refuse(MAIN, "signature-wrong", NOW)


def test_sqlite_is_new_enough_for_what_is_used() -> None:
    assert sqlite3.sqlite_version_info >= (3, 35)
