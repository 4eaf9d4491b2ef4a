"""What a well-formed file may still get wrong is all found, once, with bounded work."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pipelines import checks, schema
from pipelines.complaints import Complaint
from pipelines.documents import KEY
from pipelines.matrix import LIMIT
from tests.pipelines.counting import steps


def config(tree: dict[str, object]) -> schema.Config:
    return schema.parse(tree)


def found(tree: dict[str, object]) -> list[tuple[tuple[str | int, ...], str]]:
    """Return where something is wrong, and its code."""
    return [(complaint.loc, complaint.code) for complaint in checks.check(config(tree))]


def test_a_sound_file_has_no_complaints() -> None:
    tree: dict[str, object] = {
        "env": {"A": "1", "ESCAPED": "$${{", "OWN": "${{ matrix.v }}"},
        "defaults": {"env": {"A": "2"}, "image": "img:${{ event.branch }}"},
        "steps": {
            "a": {"run": "x", "outputs": "v", "image": "own", "env": {"OWN": "a"}},
            "b": {
                "run": "x",
                "needs": "a",
                "matrix": {"v": ["1", "2"], "include": [{"w": "3"}]},
                "when": "steps.a.outputs.v == env.ESCAPED",
                "env": {"B": "${{ env.A }}${{ matrix.v }}", "C": '${{ default(matrix.w, "") }}'},
            },
        },
        "finally": {
            "f": {"run": "x", "env": {"OWN": "${{ run.status }}${{ steps.b.status }}"}},
        },
    }
    assert found(tree) == []


@pytest.mark.parametrize(
    ("tree", "places"),
    [
        ({"steps": {"a": {}}}, [(("steps", "a", KEY), "missing")]),
        ({"steps": {"a": {"run": "${{"}}}, [(("steps", "a", "run"), "template-in-run")]),
        (
            {"steps": {"a": {"run": "x"}}, "finally": {"a": {"run": "x"}}},
            [(("finally", "a", KEY), "duplicate-step")],
        ),
        (
            {"steps": {"a": {"run": "x", "needs": ["b", "c"]}, "b": {"run": "x", "needs": "a"}}},
            [(("steps", "a", "needs", 1), "unknown-need"), (("steps", "b", "needs"), "cycle")],
        ),
        (
            {"steps": {"a": {"run": "x", "needs": "b", "when": "ghost()"}}},
            [(("steps", "a", "needs", 0), "unknown-need")],
        ),
        (
            {"env": {"A": "${{"}, "steps": {"a": {"run": "x"}, "b": {"run": "x"}}},
            [(("env", "A"), "expression")],
        ),
        (
            {
                "env": {"A": "${{ matrix.v }}", "B": "${{ matrix.v }}"},
                "defaults": {"env": {"B": "1"}},
                "steps": {"a": {"run": "x"}, "b": {"run": "x", "env": {"A": "1"}}},
            },
            [(("env", "A"), "expression")],
        ),
        (
            {"steps": {"a": {"run": "x", "env": {"A": "${{", "B": "${{ env.A }}"}}}},
            [
                (("steps", "a", "env", "A"), "expression"),
                (("steps", "a", "env", "B"), "expression"),
            ],
        ),
        (
            {
                "steps": {"a": {"run": "x", "when": "steps.f.status == 'success'"}},
                "finally": {"f": {"run": "x"}},
            },
            [(("steps", "a", "when"), "expression")],
        ),
        (
            {"on": {"push": {"branches": ["[", "["], "paths": "/x"}}, "steps": {"a": {"run": "x"}}},
            [
                (("on", "push", "branches", 0), "pattern"),
                (("on", "push", "branches", 1), "pattern"),
                (("on", "push", "paths", 0), "pattern"),
            ],
        ),
        (
            {"on": {"tag": {"tags": ["v*"] * 101}}, "steps": {"a": {"run": "x"}}},
            [(("on", "tag", "tags"), "pattern")],
        ),
    ],
    ids=range(11),
)
def test_where_it_is_wrong(
    tree: dict[str, object], places: list[tuple[tuple[str | int, ...], str]]
) -> None:
    assert found(tree) == places


def test_there_may_be_many_secrets_and_services_but_not_any_number() -> None:
    names = [f"S{number}" for number in range(checks.MOST_SECRETS + 1)]
    services = {f"s{number}": {"image": "x"} for number in range(checks.MOST_SERVICES + 1)}
    step = {"run": "x", "secrets": names, "services": services}
    assert found({"steps": {"a": step}}) == [
        (("steps", "a", "secrets"), "too-many"),
        (("steps", "a", "services"), "too-many"),
    ]
    step = {"run": "x", "secrets": names[1:], "services": dict(list(services.items())[1:])}
    assert found({"steps": {"a": step}}) == []


def test_templates_of_a_service_may_look_at_what_those_of_its_step_may() -> None:
    service = {
        "image": "db:${{ matrix.v }}",
        "env": {"NAME": "${{ steps.a.outputs.name }}", "OWN": "${{ env.COMMON }}"},
    }
    step = {"run": "x", "needs": "a", "matrix": {"v": ["1"]}, "services": {"db": service}}
    first = {"run": "x", "outputs": "name"}
    tree: dict[str, object] = {"env": {"COMMON": "1"}, "steps": {"a": first, "b": step}}
    assert found(tree) == []
    tree = {"steps": {"a": {"run": "x"}, "b": {**step, "needs": []}}}
    places = [("image",), ("env", "NAME"), ("env", "OWN")]
    assert found(tree) == [
        (("steps", "b", "services", "db", *place), "expression") for place in places[1:]
    ]


def test_complaints_come_one_by_one() -> None:
    tree: dict[str, object] = {"steps": {"a": {}, "b": {}}}
    told = checks.check(config(tree))
    assert isinstance(told, Iterator)
    first = next(told)
    assert first == Complaint(
        ("steps", "a", KEY), "missing", "this step has no `run`", "add `run:`"
    )


@pytest.mark.parametrize(
    ("tree", "loc"),
    [
        ({"steps": {f"s{n}": {} for n in range(checks.MOST_STEPS + 1)}}, ("steps",)),
        (
            {
                "env": {f"V{n}": "${{" for n in range(1001)},
                "steps": {f"s{n}": {} for n in range(1000)},
            },
            ("env",),
        ),
    ],
    ids=["steps", "variables"],
)
def test_what_is_too_large_is_looked_at_no_further(
    tree: dict[str, object], loc: tuple[str, ...]
) -> None:
    assert found(tree) == [(loc, "too-large")]


def _chain(size: int) -> dict[str, object]:
    """A chain written backwards, in which each step looks at the one before."""
    made: dict[str, object] = {}
    for n in reversed(range(1, size)):
        made[f"s{n}"] = {
            "run": "x",
            "needs": f"s{n - 1}",
            "when": f'steps.s{n - 1}.status == "success"',
        }
    made["s0"] = {"run": "x"}
    return {"steps": made}


def _common_variables(size: int) -> dict[str, object]:
    return {
        "env": {f"V{n}": "${{ event.branch }}" for n in range(20)},
        "steps": {f"s{n}": {"run": "x"} for n in range(size)},
    }


def _large_matrix(size: int) -> dict[str, object]:
    axis = [str(n) for n in range(16)]
    matrix = {"a": axis, "b": axis}
    return {"steps": {f"s{n}": {"run": "x", "matrix": matrix} for n in range(size // 10)}}


@pytest.mark.parametrize("make", [_chain, _common_variables, _large_matrix])
def test_twice_the_file_is_twice_the_work(make: Callable[[int], dict[str, object]]) -> None:
    small, large = (config(make(size)) for size in (200, 400))
    assert steps(lambda: list(checks.check(large))) < 2.5 * steps(lambda: list(checks.check(small)))


def test_a_matrix_at_its_limit_is_fine() -> None:
    axis = [str(n) for n in range(LIMIT)]
    assert found({"steps": {"a": {"run": "x", "matrix": {"v": axis}}}}) == []
    assert found({"steps": {"a": {"run": "x", "matrix": {"v": [*axis, "x"]}}}}) == [
        (("steps", "a", "matrix"), "matrix-too-large")
    ]
