"""Every way in which a Pod can wait, run and end, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pipelines.states import Cause, Outcome
from runner.kube.podstatus import Known, PodPhase, Reading, read
from tests.runner.kube.pods import (
    NOW,
    REPORT,
    Json,
    condition,
    disrupted,
    ended,
    event,
    pod,
    pulling,
    running,
    unstarted,
    vanished,
    waiting,
)

KNOWN = Known(now=NOW, let_go=True, waiting=600)
NOT_YET = Known(now=NOW, waiting=600)
STOPPED = Known(now=NOW, let_go=True, stopped=True)

NO_ROOM = (
    "0/3 nodes are available: 1 node(s) had untolerated taint {gpu: true}, 2 Insufficient memory. "
    "preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
)
NOT_FOUND = (
    'failed to pull and unpack image "docker.io/library/nope:1": '
    "failed to resolve reference: docker.io/library/nope:1: not found"
)
BACK_OFF = 'Back-off pulling image "nope:1"'
PULL_FAILED = event("Failed", f'Failed to pull image "nope:1": {NOT_FOUND}')
NO_LAUNCHER = (
    'error during container init: exec: "/hookline/control/launcher": '
    "stat /hookline/control/launcher: no such file or directory"
)
NO_PROGRAM = 'exec: "postgrees": executable file not found in $PATH'


def look(
    found: Json | None,
    known: Known = KNOWN,
    *,
    events: list[Json] | None = None,
    last: Json | None = None,
) -> Reading:
    return read(found, known, events=events, last=last)


# How it ended


@dataclass(frozen=True)
class End:
    """What is to be said of a Pod that has ended."""

    name: str
    pod: Json
    outcome: Outcome
    cause: Cause
    message: str
    ran: bool = True
    exit_code: int | None = None
    known: Known = KNOWN
    events: tuple[Json, ...] = ()


ERROR, FAILURE, CANCELLED = Outcome.ERROR, Outcome.FAILURE, Outcome.CANCELLED

ENDS = [
    End(
        "the step's exit code, its agent died",
        pod("Failed", agent=ended(1), step=ended(3)),
        FAILURE,
        Cause.EXIT_CODE,
        "exit code 3; nothing else is known",
        exit_code=3,
    ),
    End(
        "ended by a signal",
        pod("Failed", agent=ended(1), step=ended(139)),
        FAILURE,
        Cause.SIGNAL,
        "ended by SIGSEGV; nothing else is known",
        exit_code=139,
    ),
    End(
        "ended by a signal without a name",
        pod("Failed", agent=ended(1), step=ended(250)),
        FAILURE,
        Cause.SIGNAL,
        "ended by signal 122",
        exit_code=250,
    ),
    End(
        "succeeded without a report",
        pod("Succeeded", agent=ended(0), step=ended(0)),
        ERROR,
        Cause.LOST,
        "the command ended with exit code 0, but Hookline's agent ended with exit code 0 and "
        "without a report",
        exit_code=0,
    ),
    End(
        "the agent died, the launcher gave up",
        pod("Failed", agent=ended(2, message="Traceback: no space"), step=ended(125)),
        ERROR,
        Cause.LOST,
        "Hookline's agent ended with exit code 2 and without a report: Traceback: no space",
        exit_code=125,
    ),
    End(
        "the agent died, the launcher does not notice",
        pod(agent=ended(1, seconds_ago=31), step=running()),
        ERROR,
        Cause.LOST,
        "Hookline's agent ended with exit code 1 and without a report",
    ),
    End(
        "out of memory",
        pod("Failed", agent=ended(0), step=ended(137, reason="OOMKilled")),
        FAILURE,
        Cause.OUT_OF_MEMORY,
        "the step needed more memory than its limit of 512Mi",
        exit_code=137,
    ),
    End(
        "too little memory to begin",
        pod(step=unstarted("container init was OOM-killed (memory limit too low?)")),
        FAILURE,
        Cause.OUT_OF_MEMORY,
        "the step needed more memory than its limit of 512Mi",
        ran=False,
        exit_code=128,
    ),
    End(
        "the agent out of memory",
        pod("Failed", agent=ended(137, reason="OOMKilled"), step=ended(125)),
        ERROR,
        Cause.LOST,
        "Hookline's agent needed more memory than its limit of 256Mi",
        exit_code=125,
    ),
    End(
        "the agent out of memory before the step began",
        pod("Failed", agent=ended(137, reason="OOMKilled"), step=ended(125), go=False),
        ERROR,
        Cause.EXECUTOR,
        "Hookline's agent needed more memory than its limit of 256Mi",
        ran=False,
        exit_code=125,
        known=NOT_YET,
    ),
    End(
        "past its deadline",
        pod(
            "Failed",
            agent=ended(137),
            step=ended(137),
            reason="DeadlineExceeded",
            message="Pod was active on the node longer than the specified deadline",
        ),
        FAILURE,
        Cause.TIMEOUT,
        "ran longer than a Pod of its kind may live: Pod was active on the node longer",
        exit_code=137,
    ),
    End(
        "evicted for want of memory",
        pod(
            "Failed",
            agent=vanished(),
            step=vanished(),
            reason="Evicted",
            message="The node was low on resource: memory. Container step was using 600Mi, which "
            "exceeds its request of 100Mi.",
        ),
        ERROR,
        Cause.EVICTED,
        "evicted from its node: The node was low on resource: memory.",
        exit_code=137,
    ),
    End(
        "evicted for its own disk",
        pod(
            "Failed",
            agent=ended(137),
            step=ended(137),
            reason="Evicted",
            message='Usage of EmptyDir volume "workspace" exceeds the limit "10Gi". ',
        ),
        FAILURE,
        Cause.EVICTED,
        'used more disk than it may: Usage of EmptyDir volume "workspace" exceeds the limit',
        exit_code=137,
    ),
    End(
        "evicted, and no container is told of",
        pod("Failed", statuses=False, reason="Evicted", message="The node was low on resource"),
        ERROR,
        Cause.EVICTED,
        "evicted from its node",
    ),
    End(
        "preempted",
        pod(
            "Failed",
            agent=ended(143),
            step=ended(143),
            conditions=(disrupted("PreemptionByScheduler", "default-scheduler: preempting"),),
        ),
        ERROR,
        Cause.EVICTED,
        "made room for a Pod of higher priority: default-scheduler: preempting",
        exit_code=143,
    ),
    End(
        "drained",
        pod("Failed", step=ended(143), conditions=(disrupted("EvictionByEvictionAPI"),)),
        ERROR,
        Cause.EVICTED,
        "its node is being emptied",
        exit_code=143,
    ),
    End(
        "taken away for a reason of tomorrow",
        pod("Failed", step=ended(143), conditions=(disrupted("Whim", "just so"),)),
        ERROR,
        Cause.EVICTED,
        "the cluster took it away: just so",
        exit_code=143,
    ),
    End(
        "node shut down",
        pod(
            "Failed",
            agent=ended(143),
            step=ended(143),
            reason="Terminated",
            message="Pod was terminated in response to imminent node shutdown.",
        ),
        ERROR,
        Cause.NODE_LOST,
        "its node was shut down: Pod was terminated in response to imminent node shutdown.",
        exit_code=143,
    ),
    End(
        "node lost, Pod given up by the cluster",
        pod(deleted=61, conditions=(disrupted("DeletionByTaintManager", "Taint manager"),)),
        ERROR,
        Cause.NODE_LOST,
        "its node does not answer or is unfit: Taint manager",
    ),
    End(
        "node lost, deletion not confirmed",
        pod(deleted=61),
        ERROR,
        Cause.NODE_LOST,
        "its node does not answer",
    ),
    End(
        "node lost, not given up yet",
        pod(
            conditions=(
                condition("Ready", False, seconds_ago=301),
                condition("ContainersReady", True, seconds_ago=900),
            )
        ),
        ERROR,
        Cause.NODE_LOST,
        "its node does not answer",
    ),
    End(
        "node lost, phase unknown",
        pod("Unknown", conditions=(condition("Ready", False, seconds_ago=301),)),
        ERROR,
        Cause.NODE_LOST,
        "its node does not answer",
    ),
    End(
        "node lost while the containers were made: it may have run since",
        pod("Pending", agent=waiting(), step=waiting(), deleted=61),
        ERROR,
        Cause.NODE_LOST,
        "its node does not answer",
    ),
    End(
        "refused by its node",
        pod(
            "Failed",
            statuses=False,
            reason="OutOfmemory",
            message="Node didn't have enough resource: memory",
        ),
        ERROR,
        Cause.EVICTED,
        "its node would not have it: Node didn't have enough resource: memory",
        ran=False,
    ),
    End(
        "refused by its node for its affinity",
        pod("Failed", statuses=False, reason="NodeAffinity"),
        ERROR,
        Cause.EVICTED,
        "its node would not have it",
        ran=False,
    ),
    End(
        "deleted from outside",
        pod("Failed", agent=ended(143), step=ended(137), deleted=-20),
        ERROR,
        Cause.LOST,
        "its Pod was deleted, and not by Hookline",
        exit_code=137,
    ),
    End(
        "deleted by us",
        pod("Failed", agent=ended(143), step=ended(137), deleted=-20),
        CANCELLED,
        Cause.CANCELLED,
        "stopped",
        exit_code=137,
        known=STOPPED,
    ),
    End(
        "killed, and nobody says by whom",
        pod("Failed", agent=vanished(), step=vanished()),
        ERROR,
        Cause.LOST,
        "it was killed together with its agent, and nobody says why",
        exit_code=137,
    ),
    End(
        "the agent could not begin, so there is no launcher",
        pod("Failed", agent=ended(137), step=unstarted(NO_LAUNCHER)),
        ERROR,
        Cause.EXECUTOR,
        "Hookline's agent ended with exit code 137 and without a report",
        ran=False,
        exit_code=128,
    ),
    End(
        "an agent that is no agent",
        pod("Failed", agent=unstarted('exec: "/opt/hookline/bin/hookline-agent": not found')),
        ERROR,
        Cause.EXECUTOR,
        "Hookline's agent `hookline:1` cannot be started: exec:",
        ran=False,
    ),
    End(
        "no launcher though the agent runs",
        pod(step=unstarted(NO_LAUNCHER)),
        ERROR,
        Cause.EXECUTOR,
        f"the step cannot be started: {NO_LAUNCHER}",
        ran=False,
        exit_code=128,
    ),
    End(
        "an image for another processor",
        pod(step=unstarted("exec /hookline/control/launcher: exec format error")),
        ERROR,
        Cause.IMAGE,
        "the image `python:3.12` is made for another kind of processor than its node's",
        ran=False,
        exit_code=128,
    ),
    End(
        "the launcher ended before its turn",
        pod(step=ended(1), go=False),
        ERROR,
        Cause.EXECUTOR,
        "its launcher ended early, with exit code 1",
        ran=False,
        exit_code=1,
        known=NOT_YET,
    ),
    End(
        "the agent ended before its turn",
        pod("Failed", agent=ended(1), step=ended(125), go=False),
        ERROR,
        Cause.EXECUTOR,
        "Hookline's agent ended with exit code 1 and without a report",
        ran=False,
        exit_code=125,
        known=NOT_YET,
    ),
    End(
        "a service whose image lacks the command",
        pod(services={"db": unstarted(NO_PROGRAM)}, go=False),
        FAILURE,
        Cause.COMMAND,
        f"service `db` cannot be started: {NO_PROGRAM}",
        ran=False,
        known=NOT_YET,
    ),
    End(
        "a service that ended before the step began",
        pod(services={"cache": running(), "db": ended(1)}, go=False),
        FAILURE,
        Cause.COMMAND,
        "service `db` ended with exit code 1 before the step began",
        ran=False,
        known=NOT_YET,
    ),
    End(
        "a service out of memory before the step began",
        pod(services={"db": ended(137, reason="OOMKilled")}, go=False),
        FAILURE,
        Cause.OUT_OF_MEMORY,
        "service `db` needed more memory than its limit of 512Mi",
        ran=False,
        known=NOT_YET,
    ),
    End(
        "failed without a word about anything",
        pod("Failed", statuses=False),
        ERROR,
        Cause.LOST,
        "its agent told no end",
    ),
    End(
        "a bad image name",
        pulling("step", "InvalidImageName", "couldn't parse image name"),
        ERROR,
        Cause.IMAGE,
        "the image `python:3.12` of the step is not the name of an image: couldn't parse",
        ran=False,
    ),
    End(
        "an image that may not be pulled",
        pulling("agent", "ErrImageNeverPull", ""),
        ERROR,
        Cause.IMAGE,
        "the image `hookline:1` of Hookline's agent is not on the node, and may not be pulled",
        ran=False,
    ),
    End(
        "a missing image, tried three times",
        pulling("step", "ImagePullBackOff", BACK_OFF, age=40),
        ERROR,
        Cause.IMAGE,
        f'the image `python:3.12` of the step cannot be pulled: Failed to pull image "nope:1": '
        f"{NOT_FOUND}",
        ran=False,
        events=(event("Failed", PULL_FAILED["message"], count=3),),
    ),
    End(
        "a missing image, and no events to be had",
        pulling(
            "service-db", "ImagePullBackOff", f"{BACK_OFF}: ErrImagePull: {NOT_FOUND}", age=121
        ),
        ERROR,
        Cause.IMAGE,
        "the image `postgres:16` of service `db` cannot be pulled: Back-off pulling",
        ran=False,
    ),
    End(
        "a missing secret",
        pulling("step", "CreateContainerConfigError", 'secret "run-test-1" not found'),
        ERROR,
        Cause.CONFIG,
        'the step cannot be set up: secret "run-test-1" not found',
        ran=False,
    ),
    End(
        "a container that cannot be made",
        pulling("step", "CreateContainerError", "invalid mount"),
        ERROR,
        Cause.EXECUTOR,
        "the node cannot make the container of the step: invalid mount",
        ran=False,
    ),
    End(
        "unschedulable for too long",
        pod(
            "Pending",
            bound=False,
            age=601,
            conditions=(condition("PodScheduled", False, "Unschedulable", NO_ROOM),),
        ),
        ERROR,
        Cause.WAITING,
        "waited longer than 10m: no node has room for it: 0/3 nodes are available",
        ran=False,
    ),
    End(
        "a service that is never ready",
        pod(services={"db": running()}, unready=True, go=False, age=601),
        ERROR,
        Cause.WAITING,
        "waited longer than 10m: waits until service `db` is ready",
        ran=False,
        known=NOT_YET,
    ),
    End(
        "waited in vain, but stopped",
        pulling("step", "InvalidImageName", ""),
        CANCELLED,
        Cause.CANCELLED,
        "stopped",
        ran=False,
        known=STOPPED,
    ),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_how_a_pod_ended(end: End) -> None:
    reading = look(end.pod, end.known, events=list(end.events) or None)
    assert reading.phase is PodPhase.ENDED
    assert reading.verdict is not None
    assert (reading.verdict.outcome, reading.verdict.cause) == (end.outcome, end.cause)
    assert reading.message == reading.verdict.message
    assert reading.message.startswith(end.message)
    assert reading.may_have_run is end.ran
    assert reading.exit_code == end.exit_code
    assert reading.report == ""


def test_no_end_is_a_success() -> None:
    outcomes = {end.outcome for end in ENDS}
    assert Outcome.SUCCESS not in outcomes


def test_the_name_of_every_end_is_its_own() -> None:
    assert len({end.name for end in ENDS}) == len(ENDS)


# What it waits for


@dataclass(frozen=True)
class Waits:
    """What is to be said of a Pod that does not run yet."""

    name: str
    pod: Json
    message: str
    events: tuple[Json, ...] = ()
    asks: bool = False


WAITS = [
    Waits("nobody has looked at it", pod("Pending", bound=False), "waits for a node"),
    Waits(
        "unschedulable",
        pod(
            "Pending",
            bound=False,
            conditions=(condition("PodScheduled", False, "Unschedulable", NO_ROOM),),
        ),
        "no node has room for it: 0/3 nodes are available: 1 node(s) had untolerated taint "
        "{gpu: true}, 2 Insufficient memory.",
    ),
    Waits("just bound", pod("Pending", statuses=False, age=2), "is being started"),
    Waits(
        "containers are made", pod("Pending", agent=waiting(), step=waiting()), "is being started"
    ),
    Waits(
        "containers are made for long",
        pod("Pending", agent=waiting(), step=waiting(), age=31),
        "is being started",
        asks=True,
    ),
    Waits(
        "a volume cannot be mounted",
        pod("Pending", agent=waiting(), step=waiting(), age=31),
        'is being started: MountVolume.SetUp failed for volume "x"',
        events=(
            event("Scheduled", "assigned", seconds_ago=30),
            event("FailedMount", 'MountVolume.SetUp failed for volume "x"'),
        ),
        asks=True,
    ),
    Waits(
        "an image is missing for the first time",
        pulling("step", "ErrImagePull", NOT_FOUND),
        f"the image `python:3.12` of the step cannot be pulled: {NOT_FOUND}; it is tried again",
        asks=True,
    ),
    Waits(
        "an image is missing for the second time",
        pulling("step", "ImagePullBackOff", BACK_OFF),
        'the image `python:3.12` of the step cannot be pulled: Failed to pull image "nope:1"',
        events=(event("Failed", "Error: ErrImagePull", 9), PULL_FAILED, PULL_FAILED),
        asks=True,
    ),
    Waits(
        "the secret was written just now",
        pulling("step", "CreateContainerConfigError", 'secret "run-test-1" not found', age=5),
        'the step cannot be set up: secret "run-test-1" not found',
    ),
    Waits(
        "the secret is on its way",
        pulling(
            "step",
            "CreateContainerConfigError",
            "failed to sync secret cache: timed out waiting for the condition",
            age=60,
        ),
        "the step cannot be set up: failed to sync secret cache",
    ),
    Waits(
        "the runtime is slow",
        pulling("step", "CreateContainerError", "context deadline exceeded", age=60),
        "the node cannot make the container of the step: context deadline exceeded",
    ),
]


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.name)
def test_what_a_pod_waits_for(wait: Waits) -> None:
    reading = look(wait.pod, events=list(wait.events) or None)
    assert (reading.phase, reading.verdict) == (PodPhase.WAITING, None)
    assert reading.message.startswith(wait.message)
    assert reading.asks_events is wait.asks
    assert not reading.may_have_run


def test_one_that_is_not_wanted_yet_may_wait_for_ever() -> None:
    found = pod("Pending", bound=False, age=10_000, go=False)
    assert look(found, Known(now=NOW)).phase is PodPhase.WAITING


def test_the_hopeless_container_is_told_before_the_others() -> None:
    found = pod(
        "Pending",
        agent=waiting(),
        services={"db": waiting("ErrImagePull", "flaky")},
        step=waiting("InvalidImageName"),
    )
    assert look(found).message.startswith("the image `python:3.12` of the step is not the name")


# While it runs


def test_a_pod_that_runs() -> None:
    reading = look(pod())
    assert reading == Reading(phase=PodPhase.RUNNING, may_have_run=True, running_since=NOW - 20)


def test_one_that_waits_for_its_turn_has_not_run() -> None:
    reading = look(pod(go=False), NOT_YET)
    assert (reading.phase, reading.may_have_run) == (PodPhase.RUNNING, False)


def test_the_annotation_says_that_it_was_let_go() -> None:
    assert look(pod(go=True), NOT_YET).may_have_run
    assert look(pod(go=False), KNOWN).may_have_run


def test_one_that_waits_for_its_services() -> None:
    found = pod(services={"db": running(), "mq": running()}, unready=True, go=False)
    reading = look(found, NOT_YET)
    assert reading.phase is PodPhase.WAITING
    assert reading.message == "waits until service `db` and service `mq` are ready"
    assert look(found, KNOWN).phase is PodPhase.RUNNING


def test_the_agent_captures_after_the_step_has_ended() -> None:
    reading = look(pod(step=ended(1)))
    assert (reading.phase, reading.exit_code) == (PodPhase.RUNNING, 1)


def test_the_launcher_is_given_time_to_notice_that_its_agent_died() -> None:
    assert look(pod(agent=ended(1), step=running())).phase is PodPhase.RUNNING


def test_one_that_is_being_taken_away_may_still_report() -> None:
    found = pod(deleted=-20, conditions=(disrupted("EvictionByEvictionAPI"),))
    reading = look(found)
    assert (reading.phase, reading.message) == (PodPhase.RUNNING, "is being deleted")
    assert look(found, STOPPED).message == "is being stopped"


def test_a_node_that_is_silent_for_a_while_is_waited_for() -> None:
    conditions = (condition("Ready", False, seconds_ago=200), condition("ContainersReady", True))
    assert look(pod(conditions=conditions)).phase is PodPhase.RUNNING
    unready = (condition("Ready", False, seconds_ago=900), condition("ContainersReady", False))
    assert look(pod(conditions=unready)).phase is PodPhase.RUNNING
    assert look(pod("Unknown")).phase is PodPhase.RUNNING


def test_a_service_that_ends_while_the_step_runs_is_a_warning() -> None:
    states = {"db": ended(137, reason="OOMKilled"), "mq": ended(2), "seed": ended(0)}
    reading = look(pod(services=states))
    assert reading.phase is PodPhase.RUNNING
    assert reading.warnings == (
        "service `db` needed more memory than its limit of 512Mi",
        "service `mq` ended with exit code 2",
    )


# What its agent said


def test_the_report_of_an_agent_comes_along() -> None:
    found = pod(agent=ended(0, message=REPORT), step=running())
    reading = look(found)
    assert (reading.phase, reading.report) == (PodPhase.ENDED, REPORT)


def test_other_words_of_an_agent_are_no_report() -> None:
    assert look(pod(agent=ended(1, message="Traceback"), step=ended(125))).report == ""
    assert look(pod()).report == ""


# When it is gone


@dataclass(frozen=True)
class Gone:
    """What is to be said of a Pod that is gone, by how it was last seen."""

    name: str
    last: Json | None
    cause: Cause
    message: str
    ran: bool = True
    known: Known = KNOWN


GONE = [
    Gone("never seen", None, Cause.LOST, "its Pod is gone, and nothing says how it ended"),
    Gone(
        "never seen, never let go",
        None,
        Cause.LOST,
        "its Pod is gone, and nothing says how it ended",
        ran=False,
        known=NOT_YET,
    ),
    Gone("while it ran", pod(), Cause.LOST, "its Pod was deleted, and not by Hookline"),
    Gone(
        "preempted while it ran",
        pod(deleted=-20, conditions=(disrupted("PreemptionByScheduler"),)),
        Cause.EVICTED,
        "made room for a Pod of higher priority",
    ),
    Gone(
        "with its node",
        pod(deleted=-20, conditions=(disrupted("DeletionByPodGC", "PodGC: node not found"),)),
        Cause.NODE_LOST,
        "its node is gone: PodGC: node not found",
    ),
    Gone(
        "after it ran out of memory",
        pod("Failed", agent=ended(1), step=ended(137, reason="OOMKilled")),
        Cause.OUT_OF_MEMORY,
        "the step needed more memory than its limit of 512Mi",
    ),
    Gone(
        "before it had a node",
        pod("Pending", bound=False),
        Cause.LOST,
        "its Pod was deleted, and not by Hookline",
        ran=False,
    ),
    Gone(
        "while its containers were made: nobody knows how far it came",
        pod("Pending", agent=waiting(), step=waiting()),
        Cause.LOST,
        "its Pod was deleted, and not by Hookline",
    ),
    Gone("by us", pod(), Cause.CANCELLED, "stopped", known=STOPPED),
]


@pytest.mark.parametrize("gone", GONE, ids=lambda gone: gone.name)
def test_a_pod_that_is_gone(gone: Gone) -> None:
    reading = look(None, gone.known, last=gone.last)
    assert reading.phase is PodPhase.GONE
    assert reading.verdict is not None
    assert (reading.verdict.cause, reading.message) == (gone.cause, gone.message)
    assert reading.verdict.outcome is not Outcome.SUCCESS
    assert reading.may_have_run is gone.ran


def test_the_report_of_one_that_is_gone_is_kept() -> None:
    last = pod("Failed", agent=ended(0, message=REPORT), step=ended(3))
    assert look(None, last=last).report == REPORT


# Whatever else is told


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"metadata": None, "spec": None, "status": None},
        {"status": {"phase": "Running", "containerStatuses": None, "conditions": None}},
        {"metadata": {"creationTimestamp": "yesterday"}, "spec": {"containers": None}},
    ],
)
def test_a_pod_of_another_shape_is_no_reason_to_trip(found: dict[str, Any]) -> None:
    assert look(found).phase in (PodPhase.WAITING, PodPhase.RUNNING)


def test_how_often_an_event_was_told_may_stand_in_its_series() -> None:
    told = {"reason": "Failed", "message": "Failed to pull image", "series": {"count": 3}}
    found = pulling("step", "ErrImagePull", NOT_FOUND)
    assert look(found, events=[told]).phase is PodPhase.ENDED
