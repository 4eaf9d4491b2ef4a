"""Random pipelines, and the rules of a run told a second time: slowly, obviously, by recursion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from hypothesis import strategies as st

from pipelines.plan import Plan, PlannedStep, RetryOn, RetryPolicy, StepKind
from pipelines.states import Outcome, RunStatus, State
from pipelines.templates import parse_condition, parse_template
from tests.pipelines.driving import PUSH

Names: TypeAlias = tuple[str, ...]
ENDS = st.sampled_from([Outcome.SUCCESS] * 3 + [Outcome.FAILURE] * 2 + [Outcome.ERROR])


class NoOutput(Exception):
    """An output is used that is not there."""


@dataclass(frozen=True)
class Condition:
    """A `when:` as it is written, what it means, and whether a failure is its matter."""

    text: str
    meaning: Callable[[Twin, str], bool]
    asks_status: bool


@dataclass(frozen=True)
class Sketch:
    """A step as far as the rules care; `uses` is a step whose output it needs to run."""

    name: str
    final: bool
    needs: Names
    when: Condition | None = None
    uses: str | None = None
    allow_failure: bool = False
    retry: RetryPolicy = field(default=RetryPolicy())

    def planned(self) -> PlannedStep:
        used = f"${{{{ steps.{self.uses}.outputs.v }}}}" if self.uses else "1"
        return PlannedStep(
            name=self.name,
            group=self.name,
            kind=StepKind.FINALLY if self.final else StepKind.NORMAL,
            script="x",
            shell=("sh", "-c"),
            needs=self.needs,
            env={"V": parse_template(used)},
            when=parse_condition(self.when.text) if self.when else None,
            outputs=("v",),
            allow_failure=self.allow_failure,
            retry=self.retry,
        )


def plan_from(sketches: Sequence[Sketch], *, fail_fast: bool = False) -> Plan:
    """Return the plan of some sketches."""
    steps = {sketch.name: sketch.planned() for sketch in sketches}
    return Plan(event=PUSH, steps=steps, fail_fast=fail_fast)


@dataclass(frozen=True)
class Ended:
    """How a step ends if it is run: its outcome, and its output if it writes one."""

    outcome: Outcome
    output: str | None


class Twin:
    """How every step of a run ends when nobody cancels it, given how each would end if run.

    `kept` holds the states of steps that are not run again, `ends` how they had ended.
    """

    def __init__(
        self,
        sketches: Sequence[Sketch],
        ends: Mapping[str, Ended],
        kept: Mapping[str, State] | None = None,
    ) -> None:
        self.sketches = {sketch.name: sketch for sketch in sketches}
        self.ends = ends
        self._states: dict[str, State] = dict(kept or {})

    def state(self, name: str) -> State:
        if name not in self._states:
            self._states[name] = self._decide(self.sketches[name])
        return self._states[name]

    def _decide(self, sketch: Sketch) -> State:
        asks_status = sketch.when is not None and sketch.when.asks_status
        if not asks_status and any(self.bad(need) for need in sketch.needs):
            return State.BLOCKED
        try:
            if sketch.when is not None and not sketch.when.meaning(self, sketch.name):
                return State.SKIPPED
            if sketch.uses is not None:
                self.output(sketch.uses)
        except NoOutput:
            return State.SKIPPED
        return State(self.ends[sketch.name].outcome)

    def before(self, name: str) -> Names:
        """Return the steps that `success()` and `failure()` are about."""
        sketch = self.sketches[name]
        graph = tuple(n for n, other in self.sketches.items() if not other.final)
        return (*graph, *sketch.needs) if sketch.final else sketch.needs

    def bad(self, name: str) -> bool:
        """Return whether a step ended so that nothing may be built on it."""
        if self.state(name) in (State.FAILURE, State.ERROR):
            return not self.sketches[name].allow_failure
        return self.state(name) is State.BLOCKED

    def trouble(self, name: str) -> bool:
        """Return whether a step or any before it failed."""
        return self.bad(name) or any(self.trouble(need) for need in self.sketches[name].needs)

    def output(self, name: str) -> str:
        ran = self.state(name) in (State.SUCCESS, State.FAILURE, State.ERROR)
        output = self.ends[name].output if ran else None
        if output is None:
            raise NoOutput
        return output

    def culprit(self, name: str) -> str | None:
        """Return who is to blame that a step is blocked."""
        if self.state(name) is not State.BLOCKED:
            return None
        first = next(need for need in self.sketches[name].needs if self.bad(need))
        return self.culprit(first) or first

    def states(self) -> dict[str, State]:
        return {name: self.state(name) for name in self.sketches}

    def status(self) -> RunStatus:
        bad = [self.state(name) for name in self.sketches if self.bad(name)]
        if State.FAILURE in bad:
            return RunStatus.FAILURE
        if State.ERROR in bad:
            return RunStatus.ERROR
        allowed = any(s in (State.FAILURE, State.ERROR) for s in self.states().values())
        return RunStatus.WARNING if allowed else RunStatus.SUCCESS

    def again(self) -> set[str]:
        """Return what runs again when the failed steps do."""
        failed = {n for n, s in self.states().items() if self.bad(n) or s in _FAILED}
        return {n for n, s in self.sketches.items() if s.final or self._touched(n, failed)}

    def _touched(self, name: str, failed: set[str]) -> bool:
        needs = self.sketches[name].needs
        return name in failed or any(self._touched(need, failed) for need in needs)


_FAILED = (State.FAILURE, State.ERROR)


def _plain(text: str, meaning: Callable[[Twin, str], bool], *, asks_status: bool) -> Condition:
    return Condition(text, meaning, asks_status)


def _written(twin: Twin, name: str) -> str | None:
    try:
        return twin.output(name)
    except NoOutput:
        return None


def conditions(known: Names) -> st.SearchStrategy[Condition | None]:
    """Draw conditions of every kind, over the steps that may be looked at."""
    made: list[Condition | None] = [
        None,
        None,
        _plain("false", lambda twin, me: False, asks_status=False),
        _plain('event.branch == "main"', lambda twin, me: True, asks_status=False),
        _plain("always()", lambda twin, me: True, asks_status=True),
        _plain(
            "failure()",
            lambda twin, me: any(twin.trouble(n) for n in twin.before(me)),
            asks_status=True,
        ),
        _plain(
            "success()",
            lambda twin, me: not any(twin.bad(n) for n in twin.before(me)),
            asks_status=True,
        ),
    ]
    made.extend(condition for name in known for condition in _about(name))
    return st.sampled_from(made)


def _about(name: str) -> list[Condition]:
    return [
        _plain(
            f'steps.{name}.status == "failure"',
            lambda twin, me: twin.state(name) is State.FAILURE,
            asks_status=True,
        ),
        _plain(
            f'steps.{name}.status in ["skipped", "blocked"]',
            lambda twin, me: twin.state(name) in (State.SKIPPED, State.BLOCKED),
            asks_status=True,
        ),
        _plain(
            f'steps.{name}.outputs.v == "1"',
            lambda twin, me: twin.output(name) == "1",
            asks_status=False,
        ),
        _plain(
            f'default(steps.{name}.outputs.v, "1") == "1"',
            lambda twin, me: _written(twin, name) in (None, "1"),
            asks_status=False,
        ),
    ]


@st.composite
def sketches(draw: st.DrawFn, *, retries: bool = False) -> tuple[Sketch, ...]:
    """Draw a graph of up to eight steps and up to three `finally` ones."""
    made: list[Sketch] = []
    for final, most, least in ((False, 8, 1), (True, 3, 0)):
        here: list[str] = []
        for place in range(draw(st.integers(least, most))):
            near = st.lists(st.sampled_from(here[-3:] or [""]), unique=True, max_size=2)
            chosen = draw(near) if here else []
            known = _ancestors(made, tuple(chosen), final=final)
            name = f"{'f' if final else 's'}{place}"
            uses = draw(st.none() | st.sampled_from(known)) if known else None
            when = draw(conditions(known))
            allow = draw(st.booleans())
            retry = draw(_RETRIES) if retries else RetryPolicy()
            made.append(Sketch(name, final, tuple(chosen), when, uses, allow, retry))
            here.append(name)
    return tuple(made)


_RETRIES = st.builds(
    RetryPolicy,
    limit=st.integers(0, 2),
    on=st.frozensets(st.sampled_from(RetryOn)),
    exit_codes=st.frozensets(st.sampled_from([1, 75])),
)


def _ancestors(made: Sequence[Sketch], needs: Names, *, final: bool) -> Names:
    known = {sketch.name: sketch for sketch in made}
    found = {n: None for n, s in known.items() if final and not s.final}
    todo = list(needs)
    while todo:
        name = todo.pop()
        found[name] = None
        todo.extend(known[name].needs)
    return tuple(found)


@st.composite
def endings(draw: st.DrawFn, names: Sequence[str]) -> dict[str, Ended]:
    """Draw how each step would end."""
    output = st.sampled_from(["1", "2", None])
    return {name: Ended(draw(ENDS), draw(output)) for name in names}
