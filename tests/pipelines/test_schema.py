"""The models of the file: what each key may hold, and that each says what it means."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from pipelines import schema
from pipelines.complaints import of_validation
from pipelines.matrix import Matrix
from pipelines.schema import OnConflict, PullRequestTrigger, PushTrigger, Step, TagTrigger

MODELS = [kind for kind in schema.Model.__subclasses__() if kind.__module__ == schema.__name__]


def step(**keys: Any) -> Step:
    return schema.parse({"steps": {"a": {"run": "x", **keys}}}).steps["a"]


def refusal(**keys: Any) -> str:
    """Return what the author of a step with these keys is told."""
    with pytest.raises(ValidationError) as refused:
        step(**keys)
    (complaint,) = of_validation(refused.value)
    return f"{complaint.message} ({complaint.cure})"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_and_model_says_what_it_means(model: type[BaseModel]) -> None:
    assert model.__doc__
    for name, field in model.model_fields.items():
        assert (field.description or "").endswith("."), name


def test_the_schema_of_the_file_can_be_written_down() -> None:
    described = schema.Config.model_json_schema(by_alias=True)
    assert set(described["properties"]) == {
        *("on", "env", "defaults", "steps", "finally", "fail_fast", "workspace")
    }
    assert described["additionalProperties"] is False
    assert described["required"] == ["steps"]
    retry = described["$defs"]["Retry"]["properties"]["on"]["anyOf"]
    assert retry == [*_RETRY_ENDS["anyOf"], {"type": "array", "items": _RETRY_ENDS}]
    assert described["properties"]["env"]["additionalProperties"]["type"] == [
        *("string", "number", "boolean")
    ]


_RETRY_ENDS = {
    "anyOf": [
        {"type": "string", "enum": ["failure", "error", "timeout"]},
        {"type": "integer", "minimum": 1, "maximum": 255},
    ]
}


def test_the_smallest_file() -> None:
    config = schema.parse({"steps": {"a": {"run": "x"}}})
    assert config.on.push == PushTrigger()
    assert config.on.pull_request == PullRequestTrigger()
    assert config.on.tag is None
    assert (config.env, config.finally_, config.fail_fast) == ({}, {}, False)
    assert config.workspace.on_conflict is OnConflict.WARN
    assert config.steps["a"] == Step(run="x")


@pytest.mark.parametrize(
    ("on", "push", "tag"),
    [
        ("push", PushTrigger(), None),
        (["push", "tag"], PushTrigger(), TagTrigger()),
        ([], None, None),
        ({"push": None}, PushTrigger(), None),
        ({"push": {}, "tag": {"tags": "v*"}}, PushTrigger(), TagTrigger(tags=["v*"])),
        ({"push": {"branches": ["a", "b"]}}, PushTrigger(branches=["a", "b"]), None),
    ],
    ids=range(6),
)
def test_on(on: Any, push: PushTrigger | None, tag: TagTrigger | None) -> None:
    config = schema.parse({"on": on, "steps": {"a": {"run": "x"}}})
    assert (config.on.push, config.on.tag) == (push, tag)


@pytest.mark.parametrize("key", ["needs", "outputs", "artifacts", "shell"])
def test_one_may_stand_for_a_list_of_one(key: str) -> None:
    assert getattr(step(**{key: "b"}), key) == getattr(step(**{key: ["b"]}), key) == ["b"]


@pytest.mark.parametrize(("written", "value"), [("true", True), ("false", False)])
def test_true_and_false(written: str, *, value: bool) -> None:
    assert step(allow_failure=written).allow_failure is value


@pytest.mark.parametrize("written", ["yes", "on", "True", "1", "", None, ["true"], {}])
def test_nothing_else_is_true_or_false(written: Any) -> None:
    told = "this is neither true nor false (write `true` or `false`)"
    assert refusal(allow_failure=written) == told


@pytest.mark.parametrize(
    ("written", "seconds"), [("90", 90), ("90s", 90), ("1h30m", 5400), ("0.5", 0.5), ("1d", 86400)]
)
def test_durations(written: str, seconds: float) -> None:
    assert step(timeout=written).timeout == step(grace=written).grace == seconds
    retry = step(retry={"backoff": written}).retry
    assert retry is not None
    assert (retry.limit, retry.on, retry.backoff) == (2, ["error"], seconds)


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("a", True),
        ("Build_2-x", True),
        ("_", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("", False),
        ("2a", False),
        ("a b", False),
        ("a.b", False),
        ("ä", False),
        ("a\n", False),
    ],
)
def test_names_of_steps_and_axes(name: str, *, fine: bool) -> None:
    for tree in (
        {"steps": {name: {"run": "x"}}},
        {"steps": {"a": {"run": "x"}}, "finally": {name: {"run": "x"}}},
        {"steps": {"a": {"run": "x", "matrix": {name: ["1"]}}}},
        {"steps": {"a": {"run": "x", "matrix": {"include": [{name: "1"}]}}}},
    ):
        assert _is_fine(tree) is fine


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("A", True),
        ("path_2", True),
        ("CIRCUS", True),
        ("CI", False),
        ("CI_X", False),
        ("HOOKLINE_X", False),
        ("LD_PRELOAD", False),
        ("LD_LIBRARY_PATH", False),
        ("BASH_ENV", False),
        ("ENV", False),
        ("A-B", False),
        ("A=B", False),
        ("2A", False),
        ("", False),
    ],
)
def test_names_of_variables(name: str, *, fine: bool) -> None:
    env = {name: "x"}
    plain = {"steps": {"a": {"run": "x"}}}
    for tree in (
        {**plain, "env": env},
        {**plain, "defaults": {"env": env}},
        {"steps": {"a": {"run": "x", "env": env}}},
    ):
        assert _is_fine(tree) is fine


@pytest.mark.parametrize(
    "keys",
    [
        {"run": "a\0"},
        {"image": "a\0"},
        {"when": "a\0"},
        {"shell": ["a\0"]},
        {"env": {"A": "a\0"}},
        {"artifacts": "a\0"},
        {"matrix": {"v": ["a\0"]}},
        {"matrix": {"include": {"v": "a\0"}}},
    ],
    ids=range(8),
)
def test_nul_stands_nowhere(keys: dict[str, Any]) -> None:
    told = "a NUL character cannot be part of a script or variable (remove it)"
    assert refusal(**keys) == told


@pytest.mark.parametrize(
    ("glob", "fine"),
    [
        ("report.xml", True),
        ("**/*.log", True),
        ("a..b", True),
        ("..a/b", True),
        ("/etc/passwd", False),
        ("..", False),
        ("../x", False),
        ("a/../b", False),
        ("a/..", False),
    ],
)
def test_artifacts_stay_in_the_workspace(glob: str, *, fine: bool) -> None:
    assert _is_fine({"steps": {"a": {"run": "x", "artifacts": glob}}}) is fine


@pytest.mark.parametrize("end", ["failure", "error", "timeout", "1", "75", "255"])
def test_ends_to_retry_after(end: str) -> None:
    retry = step(retry={"on": end}).retry
    assert retry is not None
    assert retry.on == [end]


@pytest.mark.parametrize(
    "end", ["", "0", "256", "-1", "007", "1.5", "success", None, ["75"], "1\n"]
)
def test_other_ends_are_refused(end: Any) -> None:
    assert refusal(retry={"on": [end]}).startswith("this is no end of a step (use `failure`, ")


@pytest.mark.parametrize(
    ("written", "matrix"),
    [
        ({"v": ["1", "2"]}, Matrix({"v": ("1", "2")})),
        ({"v": "1"}, Matrix({"v": ("1",)})),
        ({"v": "1", "include": {"v": "2"}}, Matrix({"v": ("1",)}, include=({"v": "2"},))),
        ({"v": "1", "include": None}, Matrix({"v": ("1",)})),
        ({"include": [{"a": "b"}]}, Matrix({}, include=({"a": "b"},))),
        (
            {"v": ["1", "2"], "exclude": [{"v": "1"}]},
            Matrix({"v": ("1", "2")}, exclude=({"v": "1"},)),
        ),
    ],
    ids=range(6),
)
def test_matrices(written: Any, matrix: Matrix) -> None:
    found = step(matrix=written).matrix
    assert found is not None
    assert found.combinations() == matrix.combinations()
    assert (found.exclude, found.include) == (matrix.exclude, matrix.include)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (None, "a matrix maps names to lists of values"),
        ([], "a matrix maps names to lists of values"),
        ({}, "this matrix has no combination"),
        ({"exclude": [{"a": "b"}]}, "this matrix has no combination"),
        ({"v": []}, "the axis `v` needs a list of one value or more"),
        ({"v": None}, "the axis `v` needs a list of one value or more"),
        ({"v": ["1", []]}, "the axis `v` needs a list of one value or more"),
        ({"v": ["1", "1"]}, "the axis `v` has a value twice"),
        ({"v": "1", "include": "x"}, "`include` holds a list of combinations"),
        ({"v": "1", "include": [{}]}, "`include` holds a list of combinations"),
        ({"v": "1", "exclude": [{"v": ["1"]}]}, "`exclude` holds a list of combinations"),
        ({"v": "1", "exclude": [{"v": "2"}] * 257}, "`exclude` has 257 rows, more than the 256"),
    ],
    ids=range(12),
)
def test_no_matrices(written: Any, told: str) -> None:
    assert refusal(matrix=written).startswith(told)


def _is_fine(tree: Any) -> bool:
    try:
        schema.parse(tree)
    except ValidationError:
        return False
    return True


def test_a_config_never_changes() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        step().run = "y"
