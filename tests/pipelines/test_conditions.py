"""What becomes of a step when its turn comes, and what its expressions may look at."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.conditions import Block, Broken, Run, Skip, event_values, judge, scope_of
from pipelines.events import Event, Manual, PullRequest, Push, Tag
from pipelines.names import EVENT_FIELDS
from pipelines.plan import Plan, Resources
from pipelines.progress import Attempt, Rendered, RenderedService, StepProgress
from pipelines.states import State
from tests.pipelines.driving import plan_of

TEXT = """
env: {SHARED: all}
steps:
  a: {run: x, outputs: [v, w]}
  t: {run: x, needs: a, matrix: {n: ["1", "2"]}, outputs: v}
  b:
    run: x
    needs: t
    image: "img:${{ event.branch }}"
    env: {OWN: "${{ env.SHARED }}", LIST: "${{ steps.t.outputs.v }}"}
    artifacts: ["${{ steps.a.outputs.v }}/**"]
  c: {run: x}
finally:
  f: {run: x, env: {S: "${{ run.status }}"}}
  g: {run: x, needs: f}
"""
PLAN = plan_of(TEXT)


def progress(
    plan: Plan, states: dict[str, State], outputs: dict[str, dict[str, str]]
) -> dict[str, StepProgress]:
    """Return how the steps of a plan stand, those not named as successes."""
    found = {}
    for name, planned in plan.steps.items():
        step = StepProgress(planned=planned, unmet=0, state=states.get(name, State.SUCCESS))
        step.attempts.append(Attempt(number=1, asked_at=0, outputs=outputs.get(name, {})))
        step.tainted = step.spoiled
        step.reason = "exit code 1" if step.spoiled else ""
        found[name] = step
    return found


OUTPUTS = {"a": {"v": "out"}, "t (n=1)": {"v": "one"}, "t (n=2)": {"v": "two"}}


def verdict(
    step: str,
    states: dict[str, State] | None = None,
    outputs: dict[str, dict[str, str]] | None = None,
) -> Run | Skip | Block | Broken:
    steps = progress(PLAN, states or {}, OUTPUTS if outputs is None else outputs)
    return judge(PLAN, steps[step], steps, "warning")


class TestJudge:
    """Run, skip, block or broken."""

    def test_a_step_that_runs_has_its_templates_rendered(self) -> None:
        assert verdict("b") == Run(
            Rendered(
                image="img:main",
                env={"SHARED": "all", "OWN": "all", "LIST": '["one","two"]'},
                artifacts=("out/**",),
            )
        )
        assert verdict("c") == Run(Rendered(image=None, env={"SHARED": "all"}, artifacts=()))

    def test_a_finally_step_knows_the_status(self) -> None:
        found = verdict("f")
        assert isinstance(found, Run)
        assert found.rendered.env["S"] == "warning"

    def test_a_spoiled_need_blocks(self) -> None:
        assert verdict("b", {"t (n=2)": State.FAILURE}) == Block(
            "`t (n=2)` failed: exit code 1", "t (n=2)"
        )

    def test_a_missing_output_skips(self) -> None:
        assert verdict("b", {}, {"t (n=1)": {"v": "one"}}) == Skip(
            "uses the output `v` of `a`, which did not write it"
        )
        assert verdict("b", {"a": State.SKIPPED}) == Skip(
            "uses the output `v` of `a`, which was skipped"
        )

    def test_an_expression_that_fails_is_broken(self) -> None:
        plan = plan_of("""
steps:
  a: {run: x, outputs: v}
  b: {run: x, needs: a, image: "${{ fromjson(steps.a.outputs.v) }}"}
""")
        steps = progress(plan, {}, {"a": {"v": "{"}})
        found = judge(plan, steps["b"], steps, "running")
        assert isinstance(found, Broken)
        assert found.reason.startswith("`b`: column 14: ")


class TestScope:
    """The names an expression may use."""

    @pytest.mark.parametrize(
        ("step", "visible"),
        [
            ("a", []),
            ("t (n=1)", ["a"]),
            ("b", ["a", "t"]),
            ("c", []),
            ("f", ["a", "t", "b", "c"]),
            ("g", ["a", "t", "b", "c", "f"]),
        ],
    )
    def test_the_steps_that_have_ended_by_then(self, step: str, visible: list[str]) -> None:
        scope = scope_of(PLAN, PLAN.steps[step], progress(PLAN, {}, {}), "running")
        assert list(scope.steps) == visible
        assert len(scope.steps) == len(visible)
        assert [name for name in PLAN.groups if name in scope.steps] == visible
        assert "ghost" not in scope.steps

    @pytest.mark.parametrize(
        ("states", "status", "outputs", "skipped"),
        [
            ({}, "success", {"v": ["one", "two"]}, False),
            ({"t (n=2)": State.FAILURE}, "failure", {"v": ["one", "two"]}, False),
            ({"t (n=2)": State.SKIPPED}, "success", {"v": ["one", None]}, False),
            (
                {"t (n=1)": State.ERROR, "t (n=2)": State.FAILURE},
                "error",
                {"v": ["one", "two"]},
                False,
            ),
            ({"t (n=1)": State.CANCELLED, "t (n=2)": State.BLOCKED}, "cancelled", None, False),
            ({"t (n=1)": State.BLOCKED}, "blocked", {"v": [None, "two"]}, False),
            ({"t (n=1)": State.SKIPPED, "t (n=2)": State.SKIPPED}, "skipped", None, True),
        ],
        ids=range(7),
    )
    def test_an_expanded_step_is_seen_as_one(
        self,
        states: dict[str, State],
        status: str,
        outputs: dict[str, Any] | None,
        *,
        skipped: bool,
    ) -> None:
        scope = scope_of(PLAN, PLAN.steps["b"], progress(PLAN, states, OUTPUTS), "running")
        view = scope.steps["t"]
        assert (view.status, view.outputs, view.skipped) == (status, outputs, skipped)

    def test_a_single_step_is_seen_as_it_is(self) -> None:
        scope = scope_of(PLAN, PLAN.steps["b"], progress(PLAN, {}, OUTPUTS), "running")
        view = scope.steps["a"]
        assert (view.status, view.outputs, view.skipped) == ("success", {"v": "out"}, False)

    def test_the_matrix_and_what_changed(self) -> None:
        plan = plan_of(TEXT, changed=("README.md",))
        scope = scope_of(plan, plan.steps["t (n=2)"], progress(plan, {}, {}), "running")
        assert (scope.matrix, scope.changed) == ({"n": "2"}, ("README.md",))

    @pytest.mark.parametrize(("step", "known"), [("b", None), ("f", "warning"), ("g", "warning")])
    def test_the_status_of_the_run_is_for_finally(self, step: str, known: str | None) -> None:
        scope = scope_of(PLAN, PLAN.steps[step], progress(PLAN, {}, {}), "warning")
        assert scope.run_status == known

    @pytest.mark.parametrize(
        ("step", "failed", "success", "failure"),
        [
            ("b", "t (n=1)", False, True),
            ("b", "c", True, False),
            ("f", "c", False, True),
            ("f", "g", True, False),
            ("g", "f", False, True),
            ("g", "a", False, True),
        ],
    )
    def test_success_and_failure_are_about_the_needs_and_in_finally_about_all(
        self, step: str, failed: str, *, success: bool, failure: bool
    ) -> None:
        steps = progress(PLAN, {failed: State.FAILURE}, {})
        scope = scope_of(PLAN, PLAN.steps[step], steps, "failure")
        assert (scope.success, scope.failure) == (success, failure)

    @pytest.mark.parametrize(
        "event",
        [
            Push(branch="main", commit="c"),
            Tag(tag="v1", commit="c"),
            PullRequest(
                number=1, action="opened", branch="b", source_branch="s", commit="c", ref="r"
            ),
            Manual(branch="main", commit="c"),
        ],
        ids=["push", "tag", "pull request", "manual"],
    )
    def test_every_field_of_every_event_has_a_value_or_null(self, event: Event) -> None:
        values = event_values(event)
        assert set(values) == set(EVENT_FIELDS)
        assert values["kind"] == event.kind
        assert values["ref"] == event.ref
        assert (values["tag"] is None) is (not isinstance(event, Tag))
        assert (values["number"] is None) is (not isinstance(event, PullRequest))


WITH_SERVICE = """
steps:
  a: {run: x, outputs: [v, w]}
  d:
    run: x
    needs: a
    services:
      db:
        image: "db:${{ event.branch }}"
        env: {NAME: "${{ steps.a.outputs.v }}", LATER: "${{ steps.a.outputs.w }}"}
        command: serve
        ready: "true"
        resources: {cpu: 500m}
"""


def test_services_are_rendered_with_their_step() -> None:
    plan = plan_of(WITH_SERVICE)
    steps = progress(plan, {}, {"a": {"v": "out", "w": "now"}})
    found = judge(plan, steps["d"], steps, "running")
    assert isinstance(found, Run)
    (service,) = found.rendered.services
    assert service == RenderedService(
        name="db",
        image="db:main",
        command=("serve",),
        env={"NAME": "out", "LATER": "now"},
        ready="true",
        resources=Resources(cpu=0.5),
    )
    steps = progress(plan, {}, {"a": {"v": "out"}})
    assert judge(plan, steps["d"], steps, "running") == Skip(
        "uses the output `w` of `a`, which did not write it"
    )
