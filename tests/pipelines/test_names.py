"""What lint finds in an expression before anything has run."""

from __future__ import annotations

import pytest

from pipelines.names import EVENT_FIELDS, Names, mistakes
from pipelines.syntax import parse_tree
from pipelines.values import Kind

NAMES = Names(
    env=["MODE", "HOME"],
    matrix=["python", "os"],
    inputs=["target"],
    steps={"build": ["image", "shards"], "test": []},
    others=["deploy"],
)


def found(text: str, names: Names = NAMES, *, condition: bool = False) -> list[tuple[int, str]]:
    errors = mistakes(parse_tree(text), names, condition=condition)
    return [(error.column, f"{error.message}: {error.cure}") for error in errors]


def test_the_fields_of_events_are_known_with_their_kinds() -> None:
    assert EVENT_FIELDS["branch"] is Kind.STRING
    assert EVENT_FIELDS["number"] is Kind.NUMBER
    assert EVENT_FIELDS["fork"] is Kind.BOOLEAN
    assert EVENT_FIELDS["before"] is None
    assert {"kind", "ref", "tag", "commit", "source_branch"} <= set(EVENT_FIELDS)


@pytest.mark.parametrize(
    "text",
    [
        "true",
        'event.branch == "main" and not event.fork',
        "event.before == null",
        "event.branch == null",
        "env.MODE == 'x' or matrix.python == '3.12' or inputs.target == 'x'",
        "default(env.ANY, '') == ''",
        "steps.build.status == 'success'",
        "'failure' == steps.test.status",
        "steps.build.status in ['failure', 'error']",
        "steps.build.status == steps.test.status",
        "steps.build.status not in ['skipped', matrix.os]",
        "steps.build.outputs.image == 'x'",
        "fromjson(steps.build.outputs.shards)[0].name == 'x'",
        "len(steps.build.outputs.shards) > 0",
        "changed('src/**', '!docs/**') and matches(event.branch, 'v*')",
        "changed(matrix.os)",
        "steps.build.status == null",
        "[1][0] == 1",
        "event.number < 3",
        "matrix.os < 3",
        "true == (1 == 1)",
    ],
)
def test_nothing_is_wrong_with(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("event.brnach", 1, "there is no `event.brnach`: did you mean `branch`?"),
        ("default(event.brnach, 1)", 9, "there is no `event.brnach`: did you mean `branch`?"),
        ("env.MOED", 1, "there is no `env.MOED`: did you mean `MODE`?"),
        ("env.X", 1, "there is no `env.X`: there are `HOME`, `MODE`"),
        ("matrix.pyton", 1, "there is no `matrix.pyton`: did you mean `python`?"),
        ("default(matrix.pyton, 1)", 9, "there is no `matrix.pyton`: did you mean `python`?"),
        ("inputs.x", 1, "there is no `inputs.x`: there are `target`"),
        ("run.status", 1, "`run.status` is known only when all else has ended: ask for it in"),
        ("steps.buidl.status", 1, "there is no step `buidl`: did you mean `build`?"),
        ("steps.zzz.status", 1, "there is no step `zzz`: there are `build`, `deploy`, `test`"),
        ("steps.deploy.status", 1, "`deploy` is not among the needs of this step: add `deploy`"),
        ("steps.deploy.outputs.x", 1, "`deploy` is not among the needs of this step: add"),
        ("steps.build.outputs.imgae", 1, "step `build` declares no output `imgae`: did you mean"),
        (
            "steps.test.outputs.x",
            1,
            "step `test` declares no output `x`: add `x` to the `outputs:`",
        ),
        ("default(steps.test.outputs.x, 1)", 9, "step `test` declares no output `x`"),
        ("true and event.branch", 10, "true or false is needed here, this is a string: compare it"),
        ("true or 1", 9, "true or false is needed here, this is a number"),
        ("not []", 5, "true or false is needed here, this is a list"),
        ("not steps.build.status", 5, "true or false is needed here, this is a string"),
        ("true and len('a')", 10, "true or false is needed here, this is a number"),
        ("event.number == '5'", 14, "a number never equals a string: compare values of one kind"),
        ("event.fork != 'true'", 12, "a boolean never equals a string"),
        ("'a' < 1", 5, "a string and a number have no order"),
        ("true < false", 6, "a boolean and a boolean have no order"),
        ("1 in 2", 3, "nothing can be in a number"),
        ("1 in 'a'", 3, "a number cannot be in a string"),
        ("steps.build.status == 'failed'", 23, "no status is `failed`: did you mean `failure`?"),
        ("'sucess' != steps.build.status", 1, "no status is `sucess`: did you mean `success`?"),
        ("steps.build.status in ['zzz']", 24, "no status is `zzz`: there are `blocked`"),
        ("steps.build.status == 1", 20, "a string never equals a number"),
        ("event.branch[0]", 14, "a string has no part named by a number"),
        ("[1].a", 5, "a list has no part named by a string: a list takes a number"),
        ("startswith(1, 'a')", 12, "`text` in `startswith(text, start)` is a string, not a number"),
        ("fromjson([])", 10, "`text` in `fromjson(text)` is a string, not a list"),
        ("changed('a', '[')", 14, "`[` stands alone in the glob `[`: a set is"),
        ("matches(env.MODE, '!x')", 19, "a glob does not begin with `!`"),
        ("changed('src/')", 9, "`src/` matches nothing: `src/**` means"),
    ],
)
def test_what_is_wrong(text: str, column: int, message: str) -> None:
    errors = found(text)
    assert errors
    assert errors[0][0] == column
    assert errors[0][1].startswith(message)


def test_many_mistakes_are_all_told() -> None:
    columns = [column for column, _ in found("env.A == env.B or steps.c.status == 'x'")]
    assert columns == [1, 10, 37, 19]


def test_the_status_of_the_run_is_known_in_finally() -> None:
    names = Names(in_finally=True)
    assert found("run.status == 'warning'", names) == []
    assert found("run.status == 'warned'", names) == [
        (15, "no status is `warned`: did you mean `warning`?")
    ]


def test_an_environment_that_is_not_known_may_hold_anything() -> None:
    assert found("env.ANYTHING == 'x'", Names(env=None)) == []


def test_where_there_are_no_names_none_is_offered() -> None:
    assert found("matrix.os", Names()) == [(1, "there is no `matrix.os`: there are none")]


def test_the_fields_of_events_can_be_narrowed() -> None:
    assert found("event.tag", Names(event=["branch"])) == [
        (1, "there is no `event.tag`: there are `branch`")
    ]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("event.branch", True),
        ("'main'", True),
        ("null", True),
        ("success()", False),
        ("event.fork", False),
        ("matrix.os", False),
        ("default(env.A, true)", False),
        ("not true", False),
    ],
)
def test_a_condition_must_be_true_or_false(text: str, wrong: bool) -> None:
    assert bool(found(text, condition=True)) is wrong
    assert found(text) == []
