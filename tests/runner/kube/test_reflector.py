"""The reflector against a scripted source, and against an API server on a real socket."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from runner.clock import ManualClock
from runner.kube.client import PodList
from runner.kube.errors import Gone, KubeError, Silence, Throttled, Unreachable
from runner.kube.reflector import Reflector
from tests.support import kube_faults
from tests.support.fake_kube import FakeKube
from tests.support.kube_faults import Broken, Ends, Expires, Fault, HangUp, Silent, Twice
from tests.support.kube_objects import Json, Shelf, Versions

SELECTOR = "hookline.dev/instance=here"


def manifest(name: str = "p") -> Json:
    labels = {"hookline.dev/instance": "here"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "step"}]},
    }


class Plan:
    """How the next watch goes: how many events it brings, what ends it, whether events repeat."""

    def __init__(
        self,
        events: int = 1000,
        end: KubeError | None = None,
        replays: int = 0,
        *,
        mute: bool = False,
    ) -> None:
        self.events = 0 if mute else events
        self.mute = mute
        self.end = end
        self.replays = replays


class Scripted:
    """A source in memory: a server's shelf of Pods, and plans for what goes wrong."""

    def __init__(self) -> None:
        self.versions = Versions()
        self.shelf = Shelf(self.versions)
        self.plans: list[Plan] = []
        self.list_errors: list[KubeError] = []
        self.during_list: list[Callable[[], object]] = []
        self.lists = 0
        self.watches: list[tuple[str, float]] = []
        self.made = 0

    def create(self, name: str) -> Json:
        self.made += 1
        pod = manifest(name)
        return self.shelf.put({**pod, "metadata": {**pod["metadata"], "uid": f"u{self.made}"}})

    def modify(self, name: str) -> None:
        pod = self.shelf.get(name)
        assert pod is not None
        self.shelf.put({**pod, "status": {"tick": self.versions.now}})

    @property
    def truth(self) -> dict[str, Json]:
        return {pod["metadata"]["name"]: pod for pod in self.shelf.select(SELECTOR)}

    def list_pods(self, selector: str) -> PodList:
        self.lists += 1
        if self.list_errors:
            raise self.list_errors.pop(0)
        found = PodList(tuple(self.shelf.select(selector)), str(self.versions.now))
        while self.during_list:
            self.during_list.pop(0)()
        return found

    def watch_pods(self, selector: str, version: str, *, timeout: float) -> ScriptedWatch:
        self.watches.append((version, timeout))
        plan = self.plans.pop(0) if self.plans else Plan()
        if int(version) < self.shelf.forgotten:
            message = "too old"
            raise Gone(message)
        return ScriptedWatch(self, int(version), plan)


class ScriptedWatch:
    def __init__(self, source: Scripted, version: int, plan: Plan) -> None:
        self._source = source
        self._version = version
        self._plan = plan
        self.aborted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ending: object) -> None:
        pass

    def __iter__(self) -> Iterator[Json]:
        pending = self._source.shelf.after(self._version, SELECTOR)
        changes = pending[: self._plan.events]
        replayed = changes[: self._plan.replays]
        for change in [*changes, *replayed]:
            yield {"type": change.kind, "object": copy.deepcopy(change.object)}
        if not pending and not self._plan.mute and self._plan.end is None:
            metadata = {"resourceVersion": str(self._source.versions.now)}
            yield {"type": "BOOKMARK", "object": {"metadata": metadata}}
        if self._plan.end is not None:
            raise self._plan.end

    def abort(self) -> None:
        self.aborted = True


class Bench:
    """A reflector on a scripted source, cycled by hand, and what its consumer saw."""

    def __init__(self) -> None:
        self.source = Scripted()
        self.clock = ManualClock()
        self.told: list[str] = []
        self.mirror: dict[str, Json] = {}
        self.reflector = Reflector(
            self.source, SELECTOR, self.hear, clock=self.clock, jitter=lambda: 0.5
        )

    def hear(self, name: str) -> None:
        self.told.append(name)
        self.look(name)

    def look(self, name: str) -> None:
        pod = self.reflector.get(name)
        if pod is None:
            self.mirror.pop(name, None)
        else:
            self.mirror[name] = pod

    def cycle(self) -> float:
        self.clock.advance(0.001)
        return self.reflector.cycle()


@pytest.fixture(name="bench")
def scripted() -> Bench:
    return Bench()


def test_a_list_then_a_watch_from_its_version(bench: Bench) -> None:
    bench.source.create("a")
    assert not bench.reflector.synced.is_set()
    assert bench.cycle() == 0.0
    assert bench.reflector.synced.is_set()
    assert dict(bench.reflector.pods) == bench.source.truth
    bench.source.create("b")
    bench.source.modify("a")
    bench.source.shelf.remove("a")
    bench.cycle()
    assert dict(bench.reflector.pods) == bench.source.truth
    assert bench.told == ["a", "b", "a", "a"]
    assert bench.source.lists == 1
    assert [version for version, _ in bench.source.watches] == ["101", "101"]
    assert {timeout for _, timeout in bench.source.watches} == {360.0}


def test_a_watch_goes_on_after_bookmarks_and_deletions(bench: Bench) -> None:
    bench.source.create("a")
    bench.cycle()
    bench.source.shelf.remove("a")
    bench.cycle()
    bench.source.versions.now += 50
    bench.cycle()
    bench.cycle()
    assert [version for version, _ in bench.source.watches] == ["101", "101", "102", "152"]


def test_a_version_that_is_too_old_leads_to_a_list(bench: Bench) -> None:
    bench.source.create("a")
    bench.cycle()
    bench.source.shelf.remove("a")
    bench.source.create("b")
    bench.source.shelf.forget()
    assert bench.cycle() == 0.25
    assert set(bench.reflector.pods) == {"a"}
    bench.cycle()
    assert dict(bench.reflector.pods) == bench.source.truth
    assert set(bench.told[1:]) == {"a", "b"}


def test_silence_is_resumed_without_a_list_or_a_wait(bench: Bench) -> None:
    bench.source.plans = [Plan(end=Silence("quiet")), Plan(end=Silence("quiet"))]
    assert bench.cycle() == 0.0
    assert bench.cycle() == 0.0
    assert (bench.source.lists, len(bench.source.watches)) == (1, 2)


def test_trouble_makes_it_wait_longer_each_time(bench: Bench) -> None:
    bench.source.list_errors = [Unreachable("away") for _ in range(8)]
    assert [bench.cycle() for _ in range(8)] == [0.25, 0.5, 1, 2, 4, 8, 15, 15]
    assert bench.reflector.trouble == "away"
    bench.cycle()
    assert bench.reflector.trouble == ""
    bench.source.plans = [Plan(end=Throttled("busy", retry_after=3.0))]
    assert bench.cycle() > 3.0
    assert bench.reflector.trouble == "busy"


def test_an_event_ends_the_growth_of_the_wait(bench: Bench) -> None:
    bench.source.list_errors = [Unreachable("away") for _ in range(5)]
    for _ in range(5):
        bench.cycle()
    bench.source.plans = [Plan(0, Unreachable("cut"))]
    assert bench.cycle() == 8
    bench.source.create("a")
    bench.source.plans = [Plan(1, Unreachable("cut"))]
    assert bench.cycle() == 0.25


def test_a_watch_that_ends_at_once_is_no_hot_loop(bench: Bench) -> None:
    bench.cycle()
    bench.source.plans = [Plan(mute=True) for _ in range(3)]
    assert [bench.cycle() for _ in range(3)] == [0.25, 0.5, 1.0]


def test_a_list_that_falls_due_ends_the_watch(bench: Bench) -> None:
    bench.cycle()
    for name in ("a", "b", "c"):
        bench.source.create(name)

    def slow(name: str) -> None:
        bench.clock.advance(601)

    reflector = Reflector(bench.source, SELECTOR, slow, clock=bench.clock)
    reflector.cycle()
    bench.source.modify("a")
    bench.source.modify("b")
    lists = bench.source.lists
    reflector.cycle()
    reflector.cycle()
    assert bench.source.lists == lists + 2


def test_a_list_every_ten_minutes_makes_up_for_what_was_missed(bench: Bench) -> None:
    bench.source.create("a")
    bench.cycle()
    bench.source.shelf.remove("a")
    bench.source.shelf.changes.clear()
    bench.cycle()
    assert "a" in bench.reflector.pods
    bench.clock.advance(601)
    bench.cycle()
    assert bench.reflector.pods == {}
    assert bench.told[-1] == "a"


def test_what_was_created_is_seen_at_once(bench: Bench) -> None:
    bench.cycle()
    made = bench.source.create("a")
    bench.reflector.expect(made)
    assert bench.reflector.get("a") == made
    bench.cycle()
    assert bench.told == []
    bench.source.shelf.remove("a")
    bench.cycle()
    assert bench.told == ["a"]


def test_a_list_from_before_does_not_hide_what_was_created(bench: Bench) -> None:
    def created() -> None:
        bench.clock.advance(0.001)
        bench.reflector.expect(bench.source.create("a"))

    bench.source.during_list = [created]
    bench.source.plans = [Plan(0, Unreachable("cut"))]
    bench.cycle()
    assert set(bench.reflector.pods) == {"a"}
    bench.cycle()
    assert dict(bench.reflector.pods) == bench.source.truth


def test_what_was_created_and_never_heard_of_is_looked_for(bench: Bench) -> None:
    bench.cycle()
    made = bench.source.create("a")
    bench.source.shelf.remove("a")
    bench.source.shelf.changes.clear()
    bench.reflector.expect(made)
    bench.cycle()
    assert set(bench.reflector.pods) == {"a"}
    bench.clock.advance(16)
    bench.cycle()
    assert bench.reflector.pods == {}
    assert bench.told == ["a"]


def test_an_answer_that_comes_after_the_end_is_old_news(bench: Bench) -> None:
    bench.cycle()
    made = bench.source.create("a")
    bench.source.shelf.remove("a")
    bench.cycle()
    bench.reflector.expect(made)
    assert bench.reflector.pods == {}


def test_what_is_known_already_is_not_put_back(bench: Bench) -> None:
    bench.cycle()
    made = bench.source.create("a")
    bench.source.modify("a")
    bench.cycle()
    bench.reflector.expect(made)
    assert dict(bench.reflector.pods) == bench.source.truth


def test_the_end_of_a_predecessor_leaves_its_successor(bench: Bench) -> None:
    bench.source.create("a")
    bench.cycle()
    bench.source.shelf.remove("a")
    bench.reflector.expect(bench.source.create("a"))
    bench.source.plans = [Plan(1, Unreachable("cut"))]
    bench.cycle()
    assert dict(bench.reflector.pods) == bench.source.truth


def test_what_is_gone_is_not_remembered_for_ever(bench: Bench) -> None:
    bench.cycle()
    for number in range(2100):
        bench.source.create(f"p{number}")
        bench.source.shelf.remove(f"p{number}")
    for _ in range(5):
        bench.cycle()
    assert len(bench.reflector._gone) == 2000


def test_its_age_says_when_something_was_heard(bench: Bench) -> None:
    assert bench.reflector.age() == float("inf")
    bench.cycle()
    bench.clock.advance(5)
    assert bench.reflector.age() == 5
    bench.source.plans = [Plan(0, Unreachable("cut"))]
    bench.cycle()
    assert bench.reflector.age() > 5


def test_a_consumer_that_trips_changes_nothing(bench: Bench) -> None:
    def trip(name: str) -> None:
        raise RuntimeError(name)

    reflector = Reflector(bench.source, SELECTOR, trip, clock=bench.clock)
    bench.source.create("a")
    bench.source.create("b")
    reflector.cycle()
    assert set(reflector.pods) == {"a", "b"}


def test_who_changed_which_field_is_not_kept(bench: Bench) -> None:
    pod = bench.source.create("a")
    managed = {**pod, "metadata": {**pod["metadata"], "managedFields": [{"x": 1}]}}
    bench.reflector.expect(managed)
    shown = bench.reflector.get("a")
    assert shown is not None
    assert "managedFields" not in shown["metadata"]


NAMES = st.sampled_from(["a", "b", "c"])
ENDS = st.sampled_from(
    [None, Silence("quiet"), Unreachable("cut"), Gone("too old"), Throttled("busy")]
)


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: in the end what is shown is what is there."""

    @initialize()
    def begin(self) -> None:
        self.bench = Bench()
        self.source = self.bench.source

    @rule(name=NAMES, told=st.sampled_from(["no", "now", "late"]))
    def create(self, name: str, told: str) -> None:
        if name in self.source.shelf:
            return
        made = self.source.create(name)
        if told == "late":
            self.cycle(events=1000, end=None, replays=0)
        if told != "no":
            self.bench.reflector.expect(made)
            self.bench.look(name)

    @rule(name=NAMES)
    def modify(self, name: str) -> None:
        if name in self.source.shelf:
            self.source.modify(name)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if name in self.source.shelf:
            self.source.shelf.remove(name)

    @rule(name=NAMES)
    def change_during_the_next_list(self, name: str) -> None:
        def change() -> None:
            self.bench.clock.advance(0.001)
            if name in self.source.shelf:
                self.source.shelf.remove(name)
            else:
                self.bench.reflector.expect(self.source.create(name))
                self.bench.look(name)

        self.source.during_list.append(change)

    @rule()
    def forget(self) -> None:
        self.source.shelf.forget()

    @rule(seconds=st.sampled_from([1.0, 20.0, 700.0]))
    def wait(self, seconds: float) -> None:
        self.bench.clock.advance(seconds)

    @rule(events=st.integers(0, 4), end=ENDS, replays=st.integers(0, 3))
    def cycle(self, events: int, end: KubeError | None, replays: int) -> None:
        self.source.plans = [Plan(events, end, replays)]
        self.bench.cycle()

    @rule(error=st.sampled_from([Unreachable("away"), Gone("too old")]))
    def list_in_vain(self, error: KubeError) -> None:
        self.source.list_errors = [error]
        self.bench.cycle()
        self.source.list_errors = []

    def teardown(self) -> None:
        if not hasattr(self, "bench"):
            return
        self.source.during_list = []
        self.source.plans = []
        self.bench.cycle()
        self.bench.clock.advance(20)
        self.bench.cycle()
        self.bench.cycle()
        assert dict(self.bench.reflector.pods) == self.source.truth
        assert self.bench.mirror == self.source.truth


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)


# Over a real socket


@pytest.fixture(name="kube")
def fake_kube() -> Iterator[FakeKube]:
    with FakeKube(bookmarks=0.05) as kube:
        yield kube


def reflecting(kube: FakeKube, on_change: Callable[[str], object] = len) -> Reflector:
    return Reflector(kube.client(), SELECTOR, on_change, jitter=lambda: 0.01)


def agree(reflector: Reflector, kube: FakeKube) -> bool:
    def told(pods: dict[str, Any]) -> dict[str, str]:
        return {name: pod["metadata"]["resourceVersion"] for name, pod in pods.items()}

    return told(dict(reflector.pods)) == told(kube.pods)


@pytest.mark.parametrize(
    "faults",
    [
        [("watch pods", Broken(1)), ("watch pods", Broken(2))],
        [("watch pods", Ends(0)), ("watch pods", Ends(1))],
        [("watch pods", Twice()), ("watch pods", Expires(1))],
        [("watch pods", kube_faults.gone()), ("list pods", kube_faults.broken())],
        [("watch pods", HangUp()), ("watch pods", kube_faults.throttled(None))],
        [("list pods", kube_faults.throttled(None)), ("watch pods", kube_faults.broken())],
    ],
)
def test_whatever_the_server_does_it_catches_up(
    kube: FakeKube, faults: list[tuple[str, Fault]]
) -> None:
    for on, fault in faults:
        kube.fault(fault, on=on)
    client = kube.client()
    with reflecting(kube) as reflector:
        assert reflector.synced.wait(10)
        for number in range(6):
            client.create_pod(manifest(f"p{number}"))
        kube.set_status("p1", {"phase": "Running"})
        kube.remove("p2")
        kube.wait_for(lambda: agree(reflector, kube))
        assert set(reflector.pods) == {"p0", "p1", "p3", "p4", "p5"}


def test_cut_connections_are_made_anew(kube: FakeKube) -> None:
    client = kube.client()
    with reflecting(kube) as reflector:
        assert reflector.synced.wait(10)
        for number in range(5):
            kube.hang_up()
            client.create_pod(manifest(f"p{number}"))
        kube.wait_for(lambda: agree(reflector, kube))


def test_it_ends_at_once_also_in_a_silent_watch(kube: FakeKube) -> None:
    kube.fault(Silent(), on="watch pods")
    reflector = reflecting(kube)
    reflector.start()
    kube.wait_for(lambda: len(kube.acts("watch pods")) == 1 and reflector._watching is not None)
    reflector.close()
    assert not reflector._thread.is_alive()


def test_it_can_be_closed_before_it_began(kube: FakeKube) -> None:
    reflecting(kube).close()
    assert kube.requests == ()


def test_a_watch_that_opens_while_it_closes_is_left(bench: Bench) -> None:
    bench.reflector._closing.set()
    bench.source.create("a")
    bench.cycle()
    bench.source.create("b")
    bench.cycle()
    assert set(bench.reflector.pods) == {"a"}


def test_an_error_while_it_closes_is_no_trouble(bench: Bench) -> None:
    bench.reflector._closing.set()
    bench.source.list_errors = [Unreachable("closed")]
    bench.cycle()
    assert bench.reflector.trouble == ""


def test_it_survives_what_nobody_thought_of() -> None:
    tripped = threading.Event()

    class Odd(Scripted):
        def watch_pods(self, selector: str, version: str, *, timeout: float) -> ScriptedWatch:
            if not tripped.is_set():
                tripped.set()
                raise RuntimeError
            return super().watch_pods(selector, version, timeout=timeout)

    source = Odd()
    heard = threading.Event()
    reflector = Reflector(source, SELECTOR, lambda _name: heard.set(), jitter=lambda: 0.0)
    with reflector:
        assert tripped.wait(10)
        source.create("a")
        assert heard.wait(10)
    assert source.lists >= 2
