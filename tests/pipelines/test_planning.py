"""A file and an event make a plan: expanded, resolved, with every default filled in."""

from __future__ import annotations

import pytest

from pipelines import planning
from pipelines.errors import PlanError
from pipelines.plan import Resources, RetryOn, RetryPolicy, StepKind
from pipelines.planning import Limits
from pipelines.schema import OnConflict
from tests.pipelines.driving import PUSH, plan_of


def test_the_smallest_plan() -> None:
    plan = plan_of("steps: {a: {run: echo}}")
    step = plan.steps["a"]
    assert (plan.event, plan.fail_fast, plan.on_conflict) == (PUSH, False, OnConflict.WARN)
    assert plan.changed is None
    assert (step.name, step.group, step.kind) == ("a", "a", StepKind.NORMAL)
    assert (step.script, step.shell) == ("echo", ("sh", "-e", "-c"))
    assert (step.needs, step.image, step.env, step.when) == ((), None, {}, None)
    assert (step.matrix, step.outputs, step.artifacts) == ({}, (), ())
    assert (step.timeout, step.waiting_timeout, step.grace) == (3600, 600, 10)
    assert (step.allow_failure, step.retry) == (False, RetryPolicy())


def test_what_holds_for_the_run() -> None:
    plan = plan_of(
        "fail_fast: true\nworkspace: {on_conflict: fail}\nsteps: {a: {run: x}}",
        changed=("a.py",),
    )
    assert (plan.fail_fast, plan.on_conflict, plan.changed) == (True, OnConflict.FAIL, ("a.py",))


def test_steps_stand_as_in_the_file_and_finally_comes_last() -> None:
    plan = plan_of("finally: {f: {run: x}}\nsteps: {b: {run: x, needs: a}, a: {run: x}}")
    assert [(name, step.kind) for name, step in plan.steps.items()] == [
        ("b", StepKind.NORMAL),
        ("a", StepKind.NORMAL),
        ("f", StepKind.FINALLY),
    ]


class TestMatrices:
    """A matrix becomes one step for each combination."""

    def test_names_and_values(self) -> None:
        plan = plan_of("""
steps:
  t: {run: x, matrix: {py: ["3.10", "3.11"], os: [linux, mac], exclude: {py: "3.10", os: mac}}}
""")
        assert {name: dict(step.matrix) for name, step in plan.steps.items()} == {
            "t (py=3.10, os=linux)": {"py": "3.10", "os": "linux"},
            "t (py=3.11, os=linux)": {"py": "3.11", "os": "linux"},
            "t (py=3.11, os=mac)": {"py": "3.11", "os": "mac"},
        }
        assert {step.group for step in plan.steps.values()} == {"t"}

    def test_who_needs_one_needs_all_of_it_in_order(self) -> None:
        plan = plan_of("""
steps:
  a: {run: x}
  t: {run: x, matrix: {v: ["1", "2"]}}
  all: {run: x, needs: [t, a], matrix: {w: ["3", "4"]}}
""")
        for name in ("all (w=3)", "all (w=4)"):
            assert plan.steps[name].needs == ("t (v=1)", "t (v=2)", "a")


class TestDefaults:
    """What the step says comes first, then `defaults`, then what holds for all."""

    TEXT = """
env: {A: file, B: file, C: file}
defaults: {image: "base:1", timeout: 20m, shell: bash, env: {B: defaults, C: defaults}}
steps:
  plain: {run: x}
  own:
    run: x
    image: "own:${{ event.branch }}"
    timeout: 5s
    shell: python3
    env: {C: own}
    grace: 3s
    when: always()
    outputs: [v]
    artifacts: ["*.log"]
    allow_failure: true
    retry: {limit: 4, on: [failure, timeout, 75, 111], backoff: 2s}
"""

    def test_a_step_that_says_nothing(self) -> None:
        step = plan_of(self.TEXT).steps["plain"]
        assert step.image is not None
        assert (step.image.text, step.timeout) == ("base:1", 1200)
        assert step.shell == ("bash", "-eo", "pipefail", "-c")
        assert {name: text.text for name, text in step.env.items()} == {
            "A": "file",
            "B": "defaults",
            "C": "defaults",
        }

    def test_a_step_that_says_it_all(self) -> None:
        step = plan_of(self.TEXT).steps["own"]
        assert step.image is not None
        assert step.when is not None
        assert step.image.text == "own:${{ event.branch }}"
        assert (step.timeout, step.grace, step.when.text) == (5, 3, "always()")
        assert step.env["C"].text == "own"
        assert (step.outputs, [glob.text for glob in step.artifacts]) == (("v",), ["*.log"])
        assert step.allow_failure
        assert step.retry == RetryPolicy(
            limit=4,
            on=frozenset({RetryOn.FAILURE, RetryOn.TIMEOUT}),
            exit_codes=frozenset({75, 111}),
            backoff=2,
        )

    @pytest.mark.parametrize(
        ("shell", "command"),
        [
            ("sh", ("sh", "-e", "-c")),
            ("bash", ("bash", "-eo", "pipefail", "-c")),
            ("python3", ("python3", "-c")),
            ("[bash]", ("bash", "-eo", "pipefail", "-c")),
            ("[bash, -c]", ("bash", "-c")),
            ("[node, -e]", ("node", "-e")),
            ("[]", ("sh", "-e", "-c")),
        ],
    )
    def test_shells(self, shell: str, command: tuple[str, ...]) -> None:
        assert plan_of(f"steps: {{a: {{run: x, shell: {shell}}}}}").steps["a"].shell == command


class TestSurroundings:
    """Secrets, services and resources: what a step finds around it."""

    TEXT = """
defaults: {resources: {cpu: 500m, memory: 1Gi}}
steps:
  plain: {run: x}
  own:
    run: x
    secrets: [KEY, TOKEN]
    resources: {memory: 2Gi, disk: 10Gi}
    services:
      db:
        image: "postgres:${{ event.branch }}"
        env: {POSTGRES_DB: "${{ event.commit }}"}
        command: [postgres, -c, fsync=off]
        ready: pg_isready
        resources: {cpu: "2"}
      cache: {image: redis, command: redis-server}
"""

    def test_a_step_that_says_nothing(self) -> None:
        step = plan_of(self.TEXT).steps["plain"]
        assert (step.secrets, step.services) == ((), ())
        assert step.resources == Resources(cpu=0.5, memory=2**30)

    def test_a_step_that_says_it_all(self) -> None:
        step = plan_of(self.TEXT).steps["own"]
        assert step.secrets == ("KEY", "TOKEN")
        assert step.resources == Resources(cpu=0.5, memory=2**31, disk=10 * 2**30)
        db, cache = step.services
        assert (db.name, db.image.text, db.ready) == (
            "db",
            "postgres:${{ event.branch }}",
            "pg_isready",
        )
        assert db.command == ("postgres", "-c", "fsync=off")
        assert {name: text.text for name, text in db.env.items()} == {
            "POSTGRES_DB": "${{ event.commit }}"
        }
        assert db.resources == Resources(cpu=2)
        assert (cache.name, cache.command, cache.env) == ("cache", ("redis-server",), {})
        assert (cache.ready, cache.resources) == ("", Resources())

    @pytest.mark.parametrize("section", ["steps", "finally"])
    def test_services_where_there_can_be_none(self, section: str) -> None:
        text = (
            f"steps: {{a: {{run: x}}}}\n{section}: {{b: {{run: x, services: {{s: {{image: x}}}}}}}}"
        )
        text = text.replace("steps: {a: {run: x}}\nsteps", "steps")
        assert plan_of(text).steps["b"].services
        with pytest.raises(PlanError, match=r"`b` has services.* need the Kubernetes executor"):
            plan_of(text, services=False)
        assert set(plan_of("steps: {a: {run: x}}", services=False).steps) == {"a"}


class TestLimits:
    """What holds where the file says nothing, and what it may not exceed."""

    def test_times(self) -> None:
        text = "steps: {long: {run: x, timeout: 30d, grace: 1d}, short: {run: x, timeout: 5s}, n: {run: x}}"
        plan = plan_of(text, timeout=60, max_timeout=100, waiting_timeout=7, grace=1, max_grace=20)
        assert [(s.timeout, s.grace) for s in plan.steps.values()] == [(100, 20), (5, 1), (60, 1)]
        assert {step.waiting_timeout for step in plan.steps.values()} == {7}

    def test_a_default_may_not_exceed_them_either(self) -> None:
        plan = plan_of("defaults: {timeout: 1h}\nsteps: {a: {run: x}}", max_timeout=100)
        assert plan.steps["a"].timeout == 100

    def test_steps(self) -> None:
        text = 'steps: {a: {run: x}, t: {run: x, matrix: {v: ["1", "2"]}}}'
        assert len(plan_of(text, steps=3).steps) == 3
        with pytest.raises(
            PlanError, match=r"^the plan has 3 steps or more, at most 2 are allowed$"
        ):
            plan_of(text, steps=2)

    def test_needs_count_as_expanded(self) -> None:
        text = """
steps:
  s: {run: x, matrix: {v: ["1", "2"]}}
  t: {run: x, needs: s, matrix: {v: ["1", "2", "3"]}}
"""
        assert plan_of(text, needs=6).graph.dependents["s (v=1)"] == (
            "t (v=1)",
            "t (v=2)",
            "t (v=3)",
        )
        with pytest.raises(PlanError, match="6 needs between its steps or more, at most 5"):
            plan_of(text, needs=5)

    def test_there_are_limits_if_none_are_given(self) -> None:
        assert Limits() == Limits(steps=10_000, needs=250_000)
        assert set(planning.SHELLS) == {"sh", "bash"}
