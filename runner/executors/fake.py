"""An executor that runs nothing: its attempts do what a script says, when a test lets them.

The state lives in a `FakeWorld`, which outlives the executors that look at it, as Pods and
processes outlive the server. It keeps the contract of the real ones, and can also be made to lose
or repeat what it tells, to refuse calls and to lose attempts.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import assert_never

from pipelines.states import Cause, Outcome
from runner.executors.base import (
    ABSENT,
    AttemptId,
    ExecutorError,
    Listener,
    Order,
    Outline,
    Phase,
    Result,
    Sighting,
)
from runner.executors.scripts import Script, error, succeed


class Delivery(StrEnum):
    """How often listeners are told of each piece of news."""

    LOST = "lost"
    ONCE = "once"
    TWICE = "twice"


class Verb(StrEnum):
    """The calls that a world remembers and can refuse."""

    START = "start"
    STOP = "stop"
    LOOK = "look"
    FORGET = "forget"


@dataclass(frozen=True)
class Call:
    """A call that an executor got; forgetting a run is one call for each of its attempts."""

    verb: Verb
    attempt: AttemptId


@dataclass
class _Scene:
    """An attempt in the world: where it is, and what is still to come."""

    order: Order
    script: Script
    holds: list[Phase]
    sighting: Sighting


class FakeWorld:
    """The attempts of all runs, what they do, and what was asked of them.

    `calls` holds every call in order, `orders` the order of each attempt, `starts` how often the
    command of each attempt was really let go: more than once is a fault of whoever asked.
    `prepared` is what was offered last to be made ready.
    `delivery` may be set at any time.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.calls: list[Call] = []
        self.orders: dict[AttemptId, Order] = {}
        self.prepared: tuple[Outline, ...] = ()
        self.starts: Counter[AttemptId] = Counter()
        self.delivery = Delivery.ONCE
        self._clock = clock
        self._mutex = threading.RLock()
        self._scenes: dict[AttemptId, _Scene] = {}
        self._scripts: dict[str, list[Script]] = {}
        self._troubles: list[tuple[Verb, bool, str]] = []
        self._listeners: list[tuple[FakeExecutor, Listener]] = []

    def script(self, step: str, *scripts: Script) -> None:
        """Say what the attempts of a step do, one script each; the last one is for all others.

        A step without a script succeeds at once.
        """
        self._scripts[step] = list(scripts)

    def release(self, attempt: AttemptId) -> None:
        """Let an attempt go on to its next hold, or to its end; raise `KeyError` if unknown."""
        with self._mutex:
            scene = self._scenes[attempt]
            if scene.holds and scene.sighting.phase is scene.holds[0]:
                scene.holds.pop(0)
                self._advance(attempt, scene)
        self._tell(attempt)

    def lose(self, attempt: AttemptId) -> None:
        """End an attempt as if the machine it ran on had gone."""
        with self._mutex:
            scene = self._scenes[attempt]
            if scene.sighting.phase is not Phase.ENDED:
                started = scene.sighting.phase is Phase.RUNNING
                script = error(Cause.LOST, started=started, message="scripted: lost")
                self._end(scene, script, snapshot=None)
        self._tell(attempt)

    def refuse(self, verb: Verb, message: str = "scripted: refused", *, done: bool = False) -> None:
        """Make the next call of a kind raise `ExecutorError`, after doing its work if `done`."""
        self._troubles.append((verb, done, message))

    def tell(self, attempt: AttemptId) -> None:
        """Tell the listeners of an attempt, for no reason, whatever `delivery` says."""
        for _, listener in tuple(self._listeners):
            listener(attempt)

    def called(self, verb: Verb) -> list[AttemptId]:
        """Return the attempts that calls of a kind were about, in order."""
        return [call.attempt for call in self.calls if call.verb is verb]

    def living(self) -> list[AttemptId]:
        """Return the attempts that wait or run."""
        with self._mutex:
            scenes = self._scenes.items()
            return [name for name, scene in scenes if scene.sighting.phase is not Phase.ENDED]

    def _perform(self, verb: Verb, attempt: AttemptId, work: Callable[[], None]) -> None:
        """Remember a call and do its work, unless it is to be refused."""
        with self._mutex:
            self.calls.append(Call(verb, attempt))
            trouble = next((trouble for trouble in self._troubles if trouble[0] is verb), None)
            if trouble:
                self._troubles.remove(trouble)
            if trouble is None or trouble[1]:
                work()
        if trouble:
            raise ExecutorError(trouble[2])

    def _start(self, order: Order) -> None:
        if order.attempt in self._scenes:
            return
        script = self._next_script(order.attempt)
        self.orders[order.attempt] = order
        waiting = Sighting(phase=Phase.WAITING)
        scene = _Scene(order, script, list(script.holds), waiting)
        self._scenes[order.attempt] = scene
        self._advance(order.attempt, scene)

    def _next_script(self, attempt: AttemptId) -> Script:
        scripts = self._scripts.get(attempt.step, [])
        if not scripts:
            return succeed()
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]

    def _advance(self, attempt: AttemptId, scene: _Scene) -> None:
        """Go on from where an attempt is to its next hold, or to its end."""
        if scene.sighting.phase is Phase.WAITING:
            if Phase.WAITING in scene.holds:
                return
            if scene.script.started:
                self.starts[attempt] += 1
                scene.sighting = Sighting(phase=Phase.RUNNING, started_at=self._clock())
        if Phase.RUNNING not in scene.holds or not scene.script.started:
            self._end(scene, scene.script, snapshot=_snapshot(scene))

    def _end(self, scene: _Scene, script: Script, *, snapshot: str | None) -> None:
        started_at = scene.sighting.started_at
        result = Result(
            outcome=script.outcome,
            cause=script.cause,
            exit_code=script.exit_code,
            message=script.message,
            started=script.started,
            started_at=started_at,
            ended_at=self._clock(),
            snapshot=snapshot,
            outputs=dict(script.outputs),
            artifacts=script.artifacts,
            warnings=script.warnings,
        )
        scene.sighting = Sighting(phase=Phase.ENDED, started_at=started_at, result=result)

    def _stop(self, attempt: AttemptId) -> None:
        scene = self._scenes.get(attempt)
        if scene is None or scene.sighting.phase is Phase.ENDED:
            return
        running = scene.sighting.phase is Phase.RUNNING
        script = Script(
            outcome=Outcome.CANCELLED,
            cause=Cause.CANCELLED,
            exit_code=None,
            message="stopped",
            started=running,
        )
        self._end(scene, script, snapshot=_snapshot(scene))

    def _look(self, attempt: AttemptId) -> Sighting:
        scene = self._scenes.get(attempt)
        return scene.sighting if scene else ABSENT

    def _forget(self, attempt: AttemptId) -> None:
        scene = self._scenes.get(attempt)
        if scene is not None and scene.sighting.phase is Phase.ENDED:
            del self._scenes[attempt]

    def _tell(self, attempt: AttemptId) -> None:
        match self.delivery:
            case Delivery.LOST:
                pass
            case Delivery.ONCE:
                self.tell(attempt)
            case Delivery.TWICE:
                self.tell(attempt)
                self.tell(attempt)
            case _ as never:
                assert_never(never)


def _snapshot(scene: _Scene) -> str | None:
    """Return the digest of what an attempt leaves, None if it never ran."""
    if scene.sighting.phase is not Phase.RUNNING:
        return None
    snapshot = scene.script.snapshot
    if callable(snapshot):
        return snapshot(scene.order)
    return snapshot or scene.order.input


class FakeExecutor:
    """An executor over a `FakeWorld`; make another over the same world for a server restarted.

    Listeners are called in the thread that made the news, before its call returns. Once closed,
    as after a crash, it tells nobody anything and refuses every call.
    """

    def __init__(self, world: FakeWorld) -> None:
        self._world = world
        self._closed = False

    def listen(self, listener: Listener) -> None:
        """Call `listener` whenever an attempt is started, released, stopped or lost."""
        self._world._listeners.append((self, listener))

    def prepare(self, outlines: Sequence[Outline]) -> None:
        """Keep in the world's `prepared` what was offered last."""
        self._world.prepared = tuple(outlines)

    def start(self, order: Order) -> None:
        """Start an attempt on its script, or take up the one that is there."""
        self._perform(Verb.START, order.attempt, lambda: self._world._start(order))
        self._world._tell(order.attempt)

    def stop(self, attempt: AttemptId) -> None:
        """End an attempt as cancelled."""
        self._perform(Verb.STOP, attempt, lambda: self._world._stop(attempt))
        self._world._tell(attempt)

    def look(self, attempt: AttemptId) -> Sighting:
        """Return where an attempt is."""
        self._perform(Verb.LOOK, attempt, lambda: None)
        return self._world._look(attempt)

    def forget(self, run: str, attempts: Iterable[AttemptId]) -> None:
        """Forget the attempts of a run that have ended."""
        del run
        for attempt in tuple(attempts):
            self._perform(Verb.FORGET, attempt, partial(self._world._forget, attempt))

    def close(self) -> None:
        """Let go of the world, which goes on."""
        self._closed = True
        listeners = self._world._listeners
        listeners[:] = [pair for pair in listeners if pair[0] is not self]

    def _perform(self, verb: Verb, attempt: AttemptId, work: Callable[[], None]) -> None:
        if self._closed:
            message = f"{attempt} cannot be reached: this executor is closed"
            raise ExecutorError(message)
        self._world._perform(verb, attempt, work)
