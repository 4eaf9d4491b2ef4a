"""What is done next, as a table: facts on the left, the move on the right."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.executors.base import AttemptId
from runner.executors.kubernetes.moves import Facts, Move, next_move
from runner.executors.kubernetes.views import PodView
from runner.kube.podfacts import Condition, ContainerFacts, State, pod_facts

STARTING = ContainerFacts(name="agent")
RUNNING = ContainerFacts(name="agent", state=State.RUNNING)
UNREADY = ContainerFacts(name="service-db", state=State.RUNNING, probed=True)
NO_ROOM = {"PodScheduled": Condition(holds=False, reason="Unschedulable")}


def pod(*containers: ContainerFacts, leaving: bool = False, no_room: bool = False) -> PodView:
    told = pod_facts({"status": {"phase": "Pending"}})
    facts = replace(told, containers=containers, conditions=NO_ROOM if no_room else {})
    return PodView(
        name="p",
        uid="u",
        attempt=AttemptId("r", "s", 1),
        stop=False,
        leaving=leaving,
        grace=1.0,
        facts=facts,
    )


WAITS = pod(RUNNING)
LEAVES = pod(RUNNING, leaving=True)
GONE = Facts(let_go=True)
ON = Facts(pod=WAITS, wanted=True, let_go=True, noted=True, following=True)


@pytest.mark.parametrize(
    ("facts", "move"),
    [
        # Nothing is there yet.
        (Facts(wanted=True), Move.MAKE),
        (Facts(wanted=True, stopping=True), Move.CANCEL),
        (Facts(wanted=True, unexplained=True), Move.RECALL),
        (Facts(unexplained=True), Move.RECALL),
        (Facts(), Move.DROP),
        (Facts(withdrawn=True), Move.DROP),
        (Facts(offered=True), Move.MAKE),
        (Facts(offered=True, crowded=True), Move.REST),
        # A Pod waits for its turn.
        (Facts(pod=WAITS, offered=True), Move.REST),
        (Facts(pod=WAITS, offered=True, crowded=True), Move.DISMISS),
        (Facts(pod=WAITS, offered=True, judged=True), Move.DISMISS),
        (Facts(pod=pod(no_room=True), offered=True), Move.DISMISS),
        (Facts(pod=WAITS, withdrawn=True), Move.DISMISS),
        (Facts(pod=WAITS, stopping=True), Move.DISMISS),
        (Facts(pod=WAITS), Move.DROP),
        (Facts(pod=WAITS, unexplained=True), Move.RECALL),
        (Facts(pod=WAITS, wanted=True, unexplained=True), Move.RECALL),
        (Facts(pod=WAITS, wanted=True), Move.LET_GO),
        (Facts(pod=pod(STARTING), wanted=True), Move.LET_GO),
        (Facts(pod=pod(RUNNING, UNREADY), wanted=True), Move.REST),
        (Facts(pod=pod(RUNNING, replace(UNREADY, ready=True)), wanted=True), Move.LET_GO),
        (Facts(pod=WAITS, wanted=True, judged=True), Move.BELIEVE_STATUS),
        (Facts(pod=WAITS, wanted=True, stopping=True), Move.DISMISS),
        # It is on its way out before it began.
        (Facts(pod=LEAVES, wanted=True), Move.REST),
        (Facts(pod=LEAVES, wanted=True, stopping=True), Move.CANCEL),
        (Facts(pod=LEAVES, withdrawn=True), Move.REST),
        # It was let go.
        (replace(ON, noted=False), Move.NOTE),
        (replace(ON, following=False), Move.FOLLOW),
        (replace(ON, following=False, pod=pod(STARTING)), Move.REST),
        (ON, Move.REST),
        (replace(ON, stopping=True), Move.ASK_TO_STOP),
        (replace(ON, stopping=True, asked=True), Move.REST),
        (replace(ON, stopping=True, pod=pod(STARTING)), Move.DISMISS),
        (replace(ON, stopping=True, pod=LEAVES), Move.REST),
        (replace(ON, stopping=True, asked=True, overdue=True), Move.KILL),
        # It has ended.
        (replace(ON, line=True), Move.BELIEVE_LINE),
        (replace(ON, line=True, confirmed=False), Move.REST),
        (replace(ON, line=True, reported=True, judged=True), Move.BELIEVE_LINE),
        (replace(ON, reported=True, judged=True), Move.BELIEVE_MESSAGE),
        (replace(ON, judged=True), Move.BELIEVE_STATUS),
        (replace(ON, judged=True, stopping=True, overdue=True), Move.BELIEVE_STATUS),
        # It is gone.
        (GONE, Move.RECALL),
        (replace(GONE, wanted=True, stopping=True), Move.RECALL),
        (replace(GONE, line=True), Move.BELIEVE_LINE),
    ],
)
def test_the_next_move(facts: Facts, move: Move) -> None:
    assert next_move(facts) is move


FACTS = st.builds(
    Facts,
    pod=st.sampled_from([None, WAITS, LEAVES, pod(), pod(STARTING), pod(RUNNING, UNREADY)]),
    **{name: st.booleans() for name in Facts.__dataclass_fields__ if name != "pod"},
)


@given(FACTS)
def test_what_was_let_go_is_never_made_or_let_go_again(facts: Facts) -> None:
    move = next_move(replace(facts, let_go=True))
    assert move not in (Move.MAKE, Move.LET_GO, Move.CANCEL, Move.DROP)


@given(FACTS)
def test_what_is_to_end_is_never_begun(facts: Facts) -> None:
    move = next_move(replace(facts, stopping=True, offered=False))
    assert move not in (Move.MAKE, Move.LET_GO)


@given(FACTS)
def test_only_what_is_wanted_is_let_go(facts: Facts) -> None:
    assert next_move(replace(facts, wanted=False)) is not Move.LET_GO


@given(FACTS)
def test_a_pod_that_is_there_is_not_made(facts: Facts) -> None:
    if facts.pod is not None:
        assert next_move(facts) is not Move.MAKE
