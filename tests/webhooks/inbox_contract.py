"""What every Inbox must do; a subclass gives the fixture `inbox`, which knows HOOKS and no more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from pipelines.events import Manual, PullRequest, Push, Tag
from tests.webhooks.samples import NEW, NOW, OLD, OTHER_SECRET, SECRET, a_delivery
from webhooks.deliveries import Hook, Inbox, Receipt

MAIN = Hook("hook-main", "octo/demo", "github", (SECRET, OTHER_SECRET))
OTHER = Hook("hook-other", "octo/other", "git", (OTHER_SECRET,))
HOOKS = (MAIN, OTHER)

PUSH = Push(branch="main", commit=NEW, before=OLD, message="Fix", author="Ada")
TAG = Tag(tag="v1", commit=NEW)
PULL = PullRequest(
    number=7,
    action="opened",
    branch="main",
    source_branch="topic",
    commit=NEW,
    ref="refs/pull/7/head",
)


def ids(receipt: Receipt) -> list[str]:
    return [run.id for run in receipt.runs]


class InboxContract:
    """Subclass it as `TestYourInbox` and define the fixture `inbox`."""

    def test_hooks_are_found_by_id(self, inbox: Inbox) -> None:
        assert inbox.hook("hook-main") == MAIN
        assert inbox.hook("hook-other") == OTHER

    def test_unknown_hooks_are_none(self, inbox: Inbox) -> None:
        assert inbox.hook("hook-mai") is None
        assert inbox.hook("") is None

    def test_an_event_makes_a_run(self, inbox: Inbox) -> None:
        receipt = inbox.accept(a_delivery(MAIN, "one"))
        (run,) = receipt.runs
        assert receipt.delivery == "one"
        assert not receipt.duplicate
        assert receipt.ignored is None
        assert run.number == 1
        assert run.ref == "refs/heads/main"
        assert run.id
        assert run.id in run.url

    def test_each_event_makes_its_own_run_in_order(self, inbox: Inbox) -> None:
        receipt = inbox.accept(a_delivery(MAIN, events=(PUSH, TAG, PULL)))
        assert [run.ref for run in receipt.runs] == [PUSH.ref, TAG.ref, PULL.ref]
        assert [run.number for run in receipt.runs] == [1, 2, 3]
        assert len(set(ids(receipt))) == 3

    def test_the_same_delivery_again_gives_the_same_receipt(self, inbox: Inbox) -> None:
        first = inbox.accept(a_delivery(MAIN, events=(PUSH, TAG)))
        again = inbox.accept(a_delivery(MAIN, events=(PUSH, TAG), received_at=NOW + 60))
        assert again.duplicate
        assert (again.delivery, again.runs) == (first.delivery, first.runs)
        assert (again.ignored, again.follow) == (first.ignored, first.follow)

    def test_the_same_act_under_another_id_leads_to_the_same_run(self, inbox: Inbox) -> None:
        first = inbox.accept(a_delivery(MAIN, "one"))
        again = inbox.accept(a_delivery(MAIN, "two"))
        assert again.delivery == "two"
        assert again.runs == first.runs
        assert again.duplicate

    def test_a_pull_request_told_by_two_actions_is_one_run(self, inbox: Inbox) -> None:
        ready = PullRequest(**{**vars(PULL), "action": "ready_for_review"})
        first = inbox.accept(a_delivery(MAIN, "one", events=(PULL,)))
        assert inbox.accept(a_delivery(MAIN, "two", events=(ready,))).runs == first.runs

    def test_the_next_push_makes_the_next_run(self, inbox: Inbox) -> None:
        onward = Push(branch="main", commit="3" * 40, before=NEW)
        first = inbox.accept(a_delivery(MAIN, "one"))
        second = inbox.accept(a_delivery(MAIN, "two", events=(onward,)))
        assert second.runs[0].number == 2
        assert ids(first) != ids(second)
        assert not second.duplicate

    def test_a_ref_that_went_away_and_came_back_is_another_act(self, inbox: Inbox) -> None:
        back = Push(branch="main", commit=OLD, before=NEW, forced=True)
        first = inbox.accept(a_delivery(MAIN, "there", events=(PUSH,)))
        inbox.accept(a_delivery(MAIN, "back", events=(back,)))
        again = inbox.accept(a_delivery(MAIN, "there again", events=(PUSH,)))
        assert ids(again) != ids(first)
        assert not again.duplicate
        told = inbox.accept(a_delivery(MAIN, "told twice", events=(PUSH,)))
        assert ids(told) == ids(again)

    def test_hooks_do_not_share_ids_or_acts(self, inbox: Inbox) -> None:
        first = inbox.accept(a_delivery(MAIN, "one"))
        other = inbox.accept(a_delivery(OTHER, "one"))
        assert not other.duplicate
        assert ids(first) != ids(other)
        assert other.runs[0].number == 1

    def test_asked_for_by_hand_twice_is_two_runs(self, inbox: Inbox) -> None:
        manual = Manual(branch="main", commit=NEW)
        first = inbox.accept(a_delivery(MAIN, "one", events=(manual,)))
        second = inbox.accept(a_delivery(MAIN, "two", events=(manual, manual)))
        assert len({*ids(first), *ids(second)}) == 3
        assert not second.duplicate

    def test_a_delivery_with_old_and_new_acts_has_both_runs(self, inbox: Inbox) -> None:
        first = inbox.accept(a_delivery(MAIN, "one", events=(TAG,)))
        both = inbox.accept(a_delivery(MAIN, "two", events=(PUSH, TAG)))
        assert [run.ref for run in both.runs] == [PUSH.ref, TAG.ref]
        assert both.runs[1] == first.runs[0]
        assert not both.duplicate

    def test_an_act_told_twice_in_one_delivery_is_one_run(self, inbox: Inbox) -> None:
        assert len(inbox.accept(a_delivery(MAIN, events=(PUSH, PUSH))).runs) == 1

    def test_an_ignored_delivery_is_kept_without_a_run(self, inbox: Inbox) -> None:
        first = inbox.accept(a_delivery(MAIN, events=(), ignored="ping"))
        again = inbox.accept(a_delivery(MAIN, events=(), ignored="ping"))
        assert (first.ignored, first.runs, first.follow) == ("ping", (), None)
        assert not first.duplicate
        assert again.duplicate
        assert again.ignored == "ping"

    def test_an_ignored_delivery_does_not_stand_for_an_act(self, inbox: Inbox) -> None:
        inbox.accept(a_delivery(MAIN, "one", events=(), ignored="ping"))
        assert not inbox.accept(a_delivery(MAIN, "two")).duplicate

    def test_texts_of_any_script_are_kept(self, inbox: Inbox) -> None:
        event = Push(branch="größe/ü", commit=NEW, message="🦊 'quoted' \\ \n", author="Ада")
        receipt = inbox.accept(a_delivery(MAIN, "id é'\"", events=(event,)))
        assert receipt.delivery == "id é'\""
        assert receipt.runs[0].ref == "refs/heads/größe/ü"

    def test_many_copies_at_once_make_one_run(self, inbox: Inbox) -> None:
        copies = 50
        start = Barrier(copies)

        def send(number: int) -> Receipt:
            start.wait()
            # Half are the same delivery, half the same act under another id.
            return inbox.accept(a_delivery(MAIN, "one" if number % 2 else f"id-{number}"))

        with ThreadPoolExecutor(copies) as pool:
            receipts = list(pool.map(send, range(copies)))
        assert len({receipt.runs for receipt in receipts}) == 1
        assert len(receipts[0].runs) == 1
        assert sum(not receipt.duplicate for receipt in receipts) == 1

    def test_refusals_are_taken_with_and_without_a_hook(self, inbox: Inbox) -> None:
        inbox.refuse(MAIN, "signature-wrong", NOW)
        inbox.refuse(None, "too-large", NOW)
        assert not inbox.accept(a_delivery(MAIN)).duplicate
