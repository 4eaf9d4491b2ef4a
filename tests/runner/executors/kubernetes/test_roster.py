from __future__ import annotations

from runner.executors.base import AttemptId, Outline
from runner.executors.kubernetes.roster import Roster
from runner.executors.kubernetes.views import selector
from runner.kube.podspec import make_pod, pod_name
from runner.kube.reflector import Reflector
from tests.runner.executors.kubernetes.rig import Rig, eventually

OURS = AttemptId("ours", "x", 1)


def roster(rig: Rig) -> tuple[Roster, Reflector]:
    reflector = Reflector(rig.kube.client(), selector(rig.settings.instance), lambda name: None)
    return Roster(reflector), reflector


def make(rig: Rig, attempt: AttemptId, *, go: bool = False) -> None:
    rig.kubelet.held.set()
    outline = Outline(attempt=attempt)
    pod = make_pod(outline, rig.settings, go=go, waiting=60.0, born=0.0)
    rig.kube.client().create_pod(pod)


def test_strays_are_pods_without_a_go_of_our_runs(rig: Rig) -> None:
    others = AttemptId("theirs", "x", 1)
    begun, taken = AttemptId("ours", "begun", 1), AttemptId("ours", "taken", 1)
    for attempt in (OURS, others, taken):
        make(rig, attempt)
    make(rig, begun, go=True)
    found, reflector = roster(rig)
    with reflector:
        eventually(lambda: len(reflector.pods) == 4)
        assert found.strays() == []
        found.open(taken)
        assert found.strays() == [OURS]


def test_what_is_hidden_is_gone_for_good(rig: Rig) -> None:
    make(rig, OURS)
    found, reflector = roster(rig)
    with reflector:
        eventually(lambda: found.view(OURS) is not None)
        view = found.view(OURS)
        assert view is not None
        found.hide([view])
        assert found.view(OURS) is None
        assert found.views() == []
        rig.kube.remove(view.name)
        eventually(lambda: not reflector.pods)
        make(rig, OURS)
        eventually(lambda: found.view(OURS) is not None)


def test_a_case_of_which_something_is_wanted_is_not_dropped(rig: Rig) -> None:
    found, _ = roster(rig)
    case = found.open(OURS)
    case.offered = Outline(attempt=OURS)
    found.drop(case)
    assert found.get(OURS) is case
    case.offered = None
    found.drop(case)
    assert found.get(OURS) is None
    assert case.forgotten


def test_a_case_is_known_by_its_pod_also_when_that_is_gone(rig: Rig) -> None:
    found, _ = roster(rig)
    assert found.of_pod(pod_name(OURS)) == []
    found.open(OURS)
    assert found.of_pod(pod_name(OURS)) == [OURS]


def test_an_old_case_does_not_take_a_new_one_with_it(rig: Rig) -> None:
    found, _ = roster(rig)
    old = found.open(OURS)
    found.close(old)
    new = found.open(OURS)
    found.close(old)
    assert found.get(OURS) is new
