"""The only loop: tells machines what happened, writes it down, and makes the world agree.

Everything that happens arrives as a message in one queue; one thread takes them, so that a run is
never in two minds. Slow work (git, snapshots, executors) is done by a pool and comes back as a
message. What a machine wants is acted on only after the journal holds why.

Nothing but the journal must survive a crash: names are a function of (run, step, attempt), starting
twice is harmless, and what really runs is looked at, never remembered.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import assert_never

from pipelines.errors import IllegalTransition, PipelineError
from pipelines.machine import Start, Stop, Want
from pipelines.states import RunStatus
from pipelines.stimuli import (
    Began,
    CancelAsked,
    RerunAsked,
    RerunMode,
    StepEnded,
    Stimulus,
    TimePassed,
)
from runner import sightings
from runner.asking import Asker
from runner.clock import Clock
from runner.database.commands import Command
from runner.database.errors import AttemptEnded, LeaseLost
from runner.database.words import CommandKind
from runner.executors.base import AttemptId, Executor, ExecutorError, Phase, Sighting
from runner.foreseeing import Foreseer
from runner.ledger import Ledger, Planned, Writing
from runner.live import LiveRun, begun_again, ended_early
from runner.logs import LogBook
from runner.messages import Acted, Look, Message, Tidied, WasPrepared, without_repeats
from runner.pool import Pool
from runner.preparing import Broken, Later, NoRun, Preparation, Prepared, Preparer, Task
from runner.replanning import Replanner
from runner.starting import Failed, Started, Starter
from runner.vault import GivenVault, Vault

log = logging.getLogger("hookline.engine")

CLAIM_EVERY = 2.0
RENEW_EVERY = 10.0
PREPARE_TRIES = 5
"""How often a run is prepared when something that it needs is away, and the seconds between."""
PREPARE_AGAIN = 5.0
TIDY_AGAIN = 30.0
LOOK_EVERY = 15.0
"""Seconds between two looks at everything that runs, for news that nobody was told of."""
ASK_AGAIN = 5.0


@dataclass
class Engine:
    """Carries runs from accepted to ended; see the module for how.

    `pool` does what steps wait for, `preparations` what may take minutes: git. `capacity` is how many
    attempts may run at once, None for as many as are wanted, `ahead` for how many more the executor
    may make ready what comes next. `announce` is called with the id of
    every run that changed. `vault` has the secrets of steps.
    """

    ledger: Ledger
    executor: Executor
    preparer: Preparer
    starter: Starter
    logbook: LogBook
    clock: Clock
    pool: Pool
    preparations: Pool
    replanner: Replanner
    announce: Callable[[str], None] = lambda _run: None
    capacity: int | None = None
    ahead: int = 0
    vault: Vault = field(default_factory=GivenVault)
    _messages: queue.SimpleQueue[Message] = field(default_factory=queue.SimpleQueue)
    _live: dict[str, LiveRun] = field(default_factory=dict)
    _later: dict[str, float] = field(default_factory=dict)
    _claimed_at: float = float("-inf")
    _renewed_at: float = float("-inf")
    _looked_at: float = float("-inf")
    _confused: bool = False

    def __post_init__(self) -> None:
        """Hear of every attempt of which there is news."""
        self._asker = Asker(self.executor, self.starter, self.pool, self._messages, self.capacity)
        self._foreseer = Foreseer(self.executor, self.pool, self.ahead)
        self.executor.listen(lambda attempt: self._messages.put(Look(attempt)))

    def wake(self) -> None:
        """Say, from any thread, that the database holds news."""
        self._messages.put(None)

    def serve(self, stop: threading.Event) -> None:
        """Turn until told to stop (and woken); what goes wrong is logged, and tried again."""
        while not stop.is_set():
            try:
                wait = self.turn()
            except Exception:
                log.exception("a turn of the engine failed; it is tried again")
                self._confused = True
                wait = 1.0
            self._sleep(min(wait, CLAIM_EVERY))

    def _sleep(self, seconds: float) -> None:
        with suppress(queue.Empty):
            self._messages.put(self._messages.get(timeout=max(seconds, 0.0)))

    def idle(self) -> bool:
        """Return whether no run is held: all that were wanted have come to their end."""
        return not self._live

    def has_messages(self) -> bool:
        """Return whether something has happened that no turn has taken yet."""
        return not self._messages.empty()

    def holding(self, run: str) -> LiveRun | None:
        """Return a run that is held by this engine."""
        return self._live.get(run)

    def turn(self) -> float:
        """Take what has happened, write it down, act on it; return the seconds until it is time."""
        if self._confused:
            self._forget_all()
        messages = self._drain()
        self._keep_leases()
        if None in messages or self.clock.monotonic() - self._claimed_at >= CLAIM_EVERY:
            self._claim()
            self._obey()
        for message in messages:
            if message is not None:
                self._take(message)
        self._look_around()
        self._pass_time()
        self._prepare_waiting()
        self._act()
        self._foreseer.offer(self._live.values())
        self._tidy()
        return self._until_next()

    def _drain(self) -> list[Message]:
        messages: list[Message] = []
        while True:
            try:
                messages.append(self._messages.get_nowait())
            except queue.Empty:
                return without_repeats(messages)

    # Which runs are ours

    def _claim(self) -> None:
        self._claimed_at = self.clock.monotonic()
        for run in self.ledger.claim(self.clock.now()):
            live = LiveRun(run, self.ledger.facts(run), self.vault)
            self._live[run.id] = live
            if self._replayed(live):
                self._find_lost(live)

    def _replayed(self, live: LiveRun) -> bool:
        """Bring a run to where its journal left it; one that cannot be brought there ends."""
        records = self.ledger.history(live.id)
        try:
            live.replay(records, self.replanner.plan)
        except (PipelineError, LookupError, ValueError, TypeError) as error:
            live.sequence = records[-1].sequence
            self._abandon(live, f"its journal cannot be read: {error}")
            return False
        return True

    def _keep_leases(self) -> None:
        if self.clock.monotonic() - self._renewed_at < RENEW_EVERY:
            return
        self._renewed_at = self.clock.monotonic()
        for run in self.ledger.renew(list(self._live), self.clock.now()):
            log.warning("the lease of run %s was lost", run)
            self._drop(run)

    def _drop(self, run: str) -> None:
        self._live.pop(run, None)
        self._later.pop(run, None)

    def _forget_all(self) -> None:
        """Trust nothing in memory any more: the journal knows."""
        for run in list(self._live):
            self._drop(run)
        self.ledger.let_go()
        self._claimed_at = float("-inf")
        self._confused = False

    def _find_lost(self, live: LiveRun) -> None:
        """Say of attempts that ran before we came, and are nowhere now, that they are lost.

        Those that are somewhere are started again, which takes them up.
        """
        for step, want in list(live.machine.wanted().items() if live.machine else ()):
            attempt = live.attempt(step, want.attempt)
            sighting = self._look(attempt)
            if live.runs(step) and sighting is not None and sighting.phase is Phase.ABSENT:
                self._tell(live, [sightings.lost(attempt, self.clock.now())])

    # What has happened

    def _take(self, message: Look | WasPrepared | Acted | Tidied) -> None:
        match message:
            case Look():
                self._looked(message.attempt)
            case WasPrepared():
                self._prepared(message.run, message.found)
            case Acted():
                self._acted(message)
            case Tidied():
                self._tidied(message)
            case _:
                assert_never(message)

    def _looked(self, attempt: AttemptId) -> None:
        live = self._live.get(attempt.run)
        if live is None or live.machine is None or attempt.step not in live.machine.steps:
            return
        sighting = self._look(attempt)
        if sighting is None:
            return
        told = sightings.stimulus_of(attempt, sighting, self.clock.now())
        if sighting.phase is Phase.ABSENT and self._should_be_there(live, attempt):
            told = self._gone(live, attempt)
        if told is not None and self._tell(live, [told]) and isinstance(told, StepEnded):
            self.pool.submit(lambda: self._archive(attempt))

    def _should_be_there(self, live: LiveRun, attempt: AttemptId) -> bool:
        """Return whether the executor took an attempt, and nobody asked it to end."""
        asked = Start(attempt.step, attempt.number)
        return live.asked.get(attempt.step) == asked and attempt.step not in live.busy

    def _gone(self, live: LiveRun, attempt: AttemptId) -> StepEnded:
        """Return the end of an attempt that should be there: it ran, or it never came to that."""
        gone = sightings.lost if live.runs(attempt.step) else sightings.vanished
        return gone(attempt, self.clock.now())

    def _look(self, attempt: AttemptId) -> Sighting | None:
        """Return what is true of an attempt; None if that cannot be seen now."""
        try:
            return self.executor.look(attempt)
        except ExecutorError as error:
            log.warning("cannot look at %s of run %s: %s", attempt, attempt.run, error)
            return None

    def _look_around(self) -> None:
        """Look at everything that was asked for: what is true counts, not which message told it."""
        if self.clock.monotonic() - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = self.clock.monotonic()
        for live in list(self._live.values()):
            for step, want in list(live.asked.items()):
                if step not in live.busy:
                    self._see(live, live.attempt(step, want.attempt), want)

    def _see(self, live: LiveRun, attempt: AttemptId, want: Want) -> None:
        if isinstance(want, Stop):
            self._stopped(live, attempt)
        else:
            self._looked(attempt)

    def _archive(self, attempt: AttemptId) -> None:
        try:
            self.logbook.archive(attempt)
        except Exception:
            log.exception("the log of %s of run %s stays where it is", attempt, attempt.run)

    def _obey(self) -> None:
        for command in self.ledger.commands():
            live = self._live.get(command.run_id)
            if live is not None:
                self._command(live, command)

    def _command(self, live: LiveRun, command: Command) -> None:
        if live.machine is None:
            self._command_without_plan(live, command)
            return
        if refusal := _refusal(live, command):
            self._write(live, Writing(run=live.run, done=((command.id, refusal),)))
            return
        self._later.pop(live.id, None)
        now = self.clock.now()
        told: Stimulus = (
            CancelAsked(at=now, by=command.by)
            if command.kind is CommandKind.CANCEL
            else RerunAsked(at=now, mode=RerunMode(command.payload["mode"]), by=command.by)
        )
        self._tell(live, [told], done=((command.id, None),))

    def _command_without_plan(self, live: LiveRun, command: Command) -> None:
        now = self.clock.now()
        self._later.pop(live.id, None)
        match command.kind:
            case CommandKind.CANCEL if not live.ended:
                by = f" by {command.by}" if command.by else ""
                writing = ended_early(live, RunStatus.CANCELLED, f"cancelled{by}", now)
            case CommandKind.RERUN if live.ended and live.run.source is None:
                live.tries = 0
                writing = begun_again(live, now)
            case _:
                refusal = _refusal_without_plan(live, command)
                self._write(live, Writing(run=live.run, done=((command.id, refusal),)))
                return
        self._write(live, replace(writing, done=((command.id, None),)))

    def _pass_time(self) -> None:
        now = self.clock.now()
        for live in list(self._live.values()):
            timer = live.machine.next_timer() if live.machine else None
            if timer is not None and timer <= now:
                self._tell(live, [TimePassed(at=now)])

    # Writing down

    def _tell(
        self,
        live: LiveRun,
        told: Sequence[Stimulus],
        done: tuple[tuple[int, str | None], ...] = (),
    ) -> bool:
        """Tell a machine and write it down; return whether it was news."""
        try:
            writing = live.tell(told)
        except IllegalTransition as error:
            self._abandon(live, str(error), done)
            return False
        if writing is None:
            if done:
                self._write(live, Writing(run=live.run, done=done))
            return False
        return self._write(live, replace(writing, done=done))

    def _write(self, live: LiveRun, writing: Writing) -> bool:
        try:
            self.ledger.record(writing)
        except LeaseLost:
            log.warning("run %s belongs to somebody else now", live.id)
            self._drop(live.id)
            return False
        except AttemptEnded as error:
            self._abandon(live, str(error), writing.done)
            return False
        self.announce(live.id)
        return True

    def _abandon(
        self, live: LiveRun, reason: str, done: tuple[tuple[int, str | None], ...] = ()
    ) -> None:
        """End a run that cannot go on through a fault of ours: what still runs is stopped."""
        log.error("run %s is given up: %s", live.id, reason)
        live.machine = None
        live.asked.clear()
        live.busy.clear()
        now = self.clock.now()
        if live.ended:
            return
        said = f"internal error: {reason}"
        broken = self.ledger.given_up(live.id, said, now)
        for attempt in broken.attempts:
            self._asker.stop(live.attempt(attempt.step, attempt.number))
        ended = ended_early(live, RunStatus.ERROR, said, now)
        self._write(live, replace(ended, steps=broken.steps, attempts=broken.attempts, done=done))

    # From an event to a plan

    def _prepare_waiting(self) -> None:
        now = self.clock.monotonic()
        for live in self._live.values():
            due = self._later.get(live.id, now) <= now
            if live.machine is None and not live.ended and not live.preparing and due:
                live.preparing = True
                self._later.pop(live.id, None)
                self._submit_preparation(live)

    def _submit_preparation(self, live: LiveRun) -> None:
        task = Task(run=live.id, repository=live.run.repository_id, event=live.run.event)

        def job() -> None:
            try:
                found = self.preparer.prepare(task)
            except Exception as error:
                log.exception("run %s cannot be prepared", task.run)
                found = Broken(f"internal error: {type(error).__name__}: {error}")
            self._messages.put(WasPrepared(task.run, found))

        self.preparations.submit(job)

    def _prepared(self, run: str, found: Preparation) -> None:
        live = self._live.get(run)
        if live is None or not live.preparing:
            return
        live.preparing = False
        if live.ended:
            return
        match found:
            case Prepared():
                self._begin(live, found)
            case NoRun() if live.begun_again:
                now = self.clock.now()
                self._write(live, ended_early(live, RunStatus.ERROR, found.reason, now))
            case NoRun():
                self.ledger.remove(live.run, found.reason)
                self._drop(run)
                self.announce(run)
            case Broken():
                live.run = replace(live.run, warnings=found.details)
                now = self.clock.now()
                self._write(live, ended_early(live, RunStatus.ERROR, found.reason, now))
            case Later():
                self._prepare_later(live, found)
            case _:
                assert_never(found)

    def _prepare_later(self, live: LiveRun, found: Later) -> None:
        live.tries += 1
        if live.tries >= PREPARE_TRIES:
            now = self.clock.now()
            self._write(live, ended_early(live, RunStatus.ERROR, found.reason, now))
        else:
            log.warning("run %s is prepared later: %s", live.id, found.reason)
            wait = PREPARE_AGAIN * 2.0 ** (live.tries - 1)
            self._later[live.id] = self.clock.monotonic() + wait

    def _begin(self, live: LiveRun, prepared: Prepared) -> None:
        now = self.clock.now()
        live.run = replace(
            live.run,
            commit=prepared.commit,
            message=live.run.message or prepared.message,
            author=live.run.author or prepared.author,
            source=prepared.source,
            warnings=prepared.warnings,
        )
        planned = live.planned(prepared.plan, self.replanner.payload(prepared.changed), now)
        writing = live.tell([Began(at=now, source=prepared.source)])
        if writing is not None:
            about = Planned(config=prepared.config, source=prepared.source)
            records = (planned, *writing.records)
            everything = live.all_steps()
            self._write(
                live,
                replace(writing, records=records, steps=everything, planned=about, begun=True),
            )

    # Making the world agree

    def _act(self) -> None:
        for live in self._live.values():
            self._release_slots(live)
        for live, want in self._asker.choose(self._live.values(), self.clock.monotonic()):
            live.asked[want.step] = want
            if isinstance(want, Start) and live.runs(want.step):
                # It was started before we came; to look at it is to take it up.
                self._looked(live.attempt(want.step, want.attempt))
            else:
                self._asker.ask(live, want)

    def _acted(self, message: Acted) -> None:
        attempt = message.attempt
        live = self._live.get(attempt.run)
        if live is None:
            return
        live.busy.discard(attempt.step)
        if live.machine is None:
            return
        match message.came_to:
            case Failed() as failed:
                self._failed(live, message, failed)
            case Started() as started:
                self._warn(live, attempt, started.warnings)
                self._looked(attempt)
            case None:
                self._stopped(live, attempt)
        self._release_slots(live)

    def _failed(self, live: LiveRun, message: Acted, failed: Failed) -> None:
        """Take a failure to ask for what it is worth: what is there was started all the same."""
        attempt = message.attempt
        sighting = self._look(attempt)
        if sighting is None or isinstance(message.want, Stop):
            live.ask_again(attempt.step, self.clock.monotonic() + ASK_AGAIN)
        elif sighting.phase is Phase.ABSENT:
            self._tell(live, [failed.ended(attempt, self.clock.now())])
        else:
            self._looked(attempt)

    def _warn(self, live: LiveRun, attempt: AttemptId, warnings: Sequence[str]) -> None:
        fresh = [f"{attempt.step}: {text}" for text in warnings]
        new = tuple(text for text in fresh if text not in live.run.warnings)
        if new:
            live.run = replace(live.run, warnings=(*live.run.warnings, *new))
            self._write(live, Writing(run=live.run))

    def _stopped(self, live: LiveRun, attempt: AttemptId) -> None:
        """Look at what was stopped; what never was there has ended by that."""
        sighting = self._look(attempt)
        if sighting is not None and sighting.phase is Phase.ABSENT:
            told = sightings.never_began(attempt, self.clock.now())
            self._tell(live, [told])
        else:
            self._looked(attempt)

    def _release_slots(self, live: LiveRun) -> None:
        wanted = live.machine.wanted() if live.machine else {}
        for step in [step for step in live.asked if step not in wanted]:
            del live.asked[step]

    # When a run has ended

    def _tidy(self) -> None:
        now = self.clock.monotonic()
        for live in list(self._live.values()):
            self._release_slots(live)
            held_up = live.busy or live.tidying or live.preparing
            if live.ended and not held_up and self._later.get(live.id, now) <= now:
                live.tidying = True
                self._later.pop(live.id, None)
                self._submit_tidying(live)

    def _submit_tidying(self, live: LiveRun) -> None:

        def job() -> None:
            worked = True
            try:
                attempts = self.ledger.attempts(live.id)
                for attempt in attempts:
                    self.logbook.archive(attempt)
                self.logbook.close(live.id)
                self.executor.forget(live.id, attempts)
            except Exception:
                log.exception("run %s could not be tidied up; it is tried again later", live.id)
                worked = False
            self._messages.put(Tidied(live.id, worked))

        self.pool.submit(job)

    def _tidied(self, message: Tidied) -> None:
        live = self._live.get(message.run)
        if live is None:
            return
        live.tidying = False
        if not message.worked:
            self._later[live.id] = self.clock.monotonic() + TIDY_AGAIN
        elif live.ended and self.ledger.settle(live.run):
            self._drop(live.id)
        else:
            self._obey()

    def _until_next(self) -> float:
        now = self.clock.now()
        timers = [live.machine.next_timer() for live in self._live.values() if live.machine]
        soonest = min((timer for timer in timers if timer is not None), default=now + CLAIM_EVERY)
        later = min(self._later.values(), default=float("inf")) - self.clock.monotonic()
        return max(min(soonest - now, later, CLAIM_EVERY), 0.0)


def _refusal_without_plan(live: LiveRun, command: Command) -> str:
    if command.kind is CommandKind.CANCEL:
        return "the run has ended"
    if not live.ended:
        return "the run has not ended"
    return "the run ended through a fault of Hookline's own; push again"


def _refusal(live: LiveRun, command: Command) -> str | None:
    machine = live.machine
    if machine is None:
        return None
    if command.kind is CommandKind.CANCEL:
        return "the run has ended" if live.ended else None
    return machine.refusal_of_rerun(RerunMode(command.payload["mode"]))
