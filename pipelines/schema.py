"""The models of `.ci.yaml`: every key there is, what it may hold and what it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from pipelines.durations import parse_duration
from pipelines.errors import ExpressionError
from pipelines.matrix import LIMIT, Matrix
from pipelines.quantities import parse_bytes, parse_processors

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
SERVICE = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
"""A service gives its name to a container, which takes what a host name may be (RFC 1123)."""

RESERVED_VARIABLES = re.compile(r"CI|CI_.*|HOOKLINE_.*|LD_PRELOAD|LD_LIBRARY_PATH|BASH_ENV|ENV")

LONGEST_TEXT = 32 * 4096 - 1
"""Bytes of an argument or a variable that every Linux takes: MAX_ARG_STRLEN in execve(2), less NUL."""


def wrong(message: str, cure: str) -> PydanticCustomError:
    """Return what a validator raises: what is wrong, and what would be right."""
    return PydanticCustomError("hookline", "{message}", {"message": message, "cure": cure})


def _named(pattern: re.Pattern[str], what: str, cure: str) -> Callable[[str], str]:
    def check(name: str) -> str:
        if not pattern.fullmatch(name):
            raise wrong(f"`{name}` is no {what}", cure)
        return name

    return check


def _boolean(value: object) -> bool:
    if value not in ("true", "false"):
        raise wrong("this is neither true nor false", "write `true` or `false`")
    return value == "true"


def _seconds(value: object) -> float:
    if not isinstance(value, str):
        raise wrong("this is no duration", "write for example `90s`, `30m` or `1h30m`")
    try:
        seconds = parse_duration(value)
    except ExpressionError as error:
        raise wrong(error.message, error.cure) from error
    if seconds <= 0:
        raise wrong("a duration must be longer than nothing", "write for example `30m`")
    return seconds


def _quantity(parse: Callable[[str], float]) -> Callable[[object], float]:
    def read(value: object) -> float:
        if not isinstance(value, str):
            raise wrong("this is no quantity", "write for example `2` or `512Mi`")
        try:
            return parse(value)
        except ExpressionError as error:
            raise wrong(error.message, error.cure) from error

    return read


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _variable(name: str) -> str:
    cure = "use letters, digits and `_`, beginning with a letter or `_`"
    _named(VARIABLE, "name of a variable", cure)(name)
    if RESERVED_VARIABLES.fullmatch(name):
        raise wrong(f"`{name}` is set by Hookline itself", "use another name")
    return name


def _secret(name: str) -> str:
    if name.startswith("KUBERNETES_"):
        raise wrong(f"`{name}` does not reach a step in a Pod", "use another name")
    return _variable(name)


def _words(value: object) -> object:
    """Let one word stand for a list of one; a line of several has no shell to take it apart."""
    if isinstance(value, str) and len(value.split()) > 1:
        cure = "write its words as a list: `[" + ", ".join(value.split()[:3]) + ", …]`"
        raise wrong("a command of several words is a list", cure)
    return _listed(value)


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise wrong("a NUL character cannot be part of a script or variable", "remove it")
    return text


def _not_too_long(text: str) -> str:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LONGEST_TEXT:
        message = f"this text has {size} bytes; no program can be given more than {LONGEST_TEXT}"
        raise wrong(message, "put it into a file of the repository, and run or read that")
    return text


def _retry_end(end: object) -> str:
    known = ("failure", "error", "timeout")
    code = isinstance(end, str) and re.fullmatch(r"[1-9][0-9]{0,2}", end) and int(end) <= 255
    if not isinstance(end, str) or not (end in known or code):
        cure = "use `failure`, `error`, `timeout` or an exit code from 1 to 255"
        raise wrong("this is no end of a step", cure)
    return end


def _relative(pattern: str) -> str:
    if pattern.startswith("/") or ".." in pattern.split("/"):
        cure = "write it relative to the workspace, without `..`"
        raise wrong(f"`{pattern}` leaves the workspace", cure)
    return pattern


Text = Annotated[str, AfterValidator(_no_nul), AfterValidator(_not_too_long)]
Bool = Annotated[bool, PlainValidator(_boolean), WithJsonSchema({"type": "boolean"})]
Seconds = Annotated[
    float,
    PlainValidator(_seconds),
    WithJsonSchema({"type": ["string", "number"], "examples": ["90s", "30m", "1h30m"]}),
]
StepName = Annotated[
    str,
    AfterValidator(
        _named(
            NAME,
            "name of a step",
            "use letters, digits, `_` and `-`, beginning with a letter, at most 63 in all",
        )
    ),
]
Variable = Annotated[str, AfterValidator(_variable)]
SecretName = Annotated[str, AfterValidator(_secret)]
ServiceName = Annotated[
    str,
    AfterValidator(
        _named(
            SERVICE,
            "name of a service",
            "use lower-case letters, digits and `-`, beginning with a letter, at most 40 in all",
        )
    ),
]
Processors = Annotated[
    float,
    PlainValidator(_quantity(parse_processors)),
    WithJsonSchema({"type": ["number", "string"], "examples": ["500m", 0.5, 2]}),
]
Bytes = Annotated[
    int,
    PlainValidator(_quantity(parse_bytes)),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["512Mi", "2Gi"]}),
]
OutputName = Annotated[
    str,
    AfterValidator(
        _named(VARIABLE, "name of an output", "use letters, digits and `_`, not first a digit")
    ),
]
Glob = Annotated[Text, AfterValidator(_relative)]
RetryEnd = Annotated[
    str,
    PlainValidator(_retry_end),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": ["failure", "error", "timeout"]},
                {"type": "integer", "minimum": 1, "maximum": 255},
            ]
        }
    ),
]
Written = Annotated[Text, WithJsonSchema({"type": ["string", "number", "boolean"]})]
"""Text that needs no quotes: an editor takes `3.10` for a number, the loader does not."""

Environment: TypeAlias = dict[Variable, Written]

_ListOf = BeforeValidator(_listed, json_schema_input_type=str | list[str])
_WordsOf = BeforeValidator(_words, json_schema_input_type=str | list[str])
_EndsOf = BeforeValidator(_listed, json_schema_input_type=RetryEnd | list[RetryEnd])


class Model(BaseModel):
    """What all models of the file share: unknown keys are mistakes, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class PushTrigger(Model):
    """A push to a branch; without patterns every branch and every path."""

    branches: Annotated[list[str], _ListOf] = Field(
        default=[], description="Globs of branches; one with a leading `!` leaves out."
    )
    paths: Annotated[list[str], _ListOf] = Field(
        default=[], description="Globs of changed files; one with a leading `!` leaves out."
    )


class TagTrigger(Model):
    """A push of a tag; without patterns every tag."""

    tags: Annotated[list[str], _ListOf] = Field(
        default=[], description="Globs of tags; one with a leading `!` leaves out."
    )


class PullRequestTrigger(Model):
    """A pull request that was opened or whose head moved; without patterns every one."""

    branches: Annotated[list[str], _ListOf] = Field(
        default=[], description="Globs of the branch it wants to go into."
    )
    paths: Annotated[list[str], _ListOf] = Field(
        default=[], description="Globs of changed files; one with a leading `!` leaves out."
    )


class Triggers(Model):
    """Which events make a run; an event that is not named makes none."""

    push: PushTrigger | None = Field(default=None, description="Pushes to branches.")
    tag: TagTrigger | None = Field(default=None, description="Pushes of tags.")
    pull_request: PullRequestTrigger | None = Field(default=None, description="Pull requests.")


def _triggers(value: object) -> object:
    """Let `on: push` and `on: [push, tag]` stand for the long form; give null its meaning."""
    listed = [value] if isinstance(value, str) else value
    if isinstance(listed, list) and all(isinstance(name, str) for name in listed):
        return {name: {} for name in listed}
    if isinstance(listed, Mapping):
        return {name: {} if held is None else held for name, held in listed.items()}
    return listed


class Resources(Model):
    """What a step or service asks of the machine it runs on; as a Pod, it gets no more."""

    cpu: Processors | None = Field(default=None, description="Processors: `2`, `0.5` or `500m`.")
    memory: Bytes | None = Field(default=None, description="Memory, such as `512Mi` or `2Gi`.")
    disk: Bytes | None = Field(
        default=None, description="Disk for the workspace and what else is written, such as `10Gi`."
    )


class Service(Model):
    """A program that runs beside a step in its Pod; the step reaches it on `localhost`."""

    image: Text = Field(description="The container image.")
    command: Annotated[list[Text], _WordsOf] = Field(
        default=[], description="The words of a command, in place of what the image would start."
    )
    env: Environment = Field(default={}, description="Variables of the service.")
    ready: Text | None = Field(
        default=None,
        description="A line for the image's `sh` that succeeds once the step may begin.",
    )
    resources: Resources = Field(default=Resources(), description="What it asks of the machine.")


class Defaults(Model):
    """What holds for every step that does not say otherwise."""

    image: Text | None = Field(default=None, description="The container image.")
    timeout: Seconds | None = Field(default=None, description="How long a step may run.")
    shell: Annotated[list[Text], _ListOf] | None = Field(
        default=None, description="The program that runs the scripts: `sh`, `bash` or any other."
    )
    env: Environment = Field(default={}, description="Variables of every step.")
    resources: Resources = Field(
        default=Resources(), description="What every step asks of the machine."
    )


def _matrix(value: object) -> object:
    """Accept axes beside `include` and `exclude`; each axis may be one value or a list."""
    if not isinstance(value, Mapping):
        raise wrong("a matrix maps names to lists of values", 'write `python: ["3.11", "3.12"]`')
    axes = {k: _values(k, v) for k, v in value.items() if k not in ("include", "exclude")}
    extra = {k: _combinations(k, value.get(k) or []) for k in ("include", "exclude")}
    if not axes and not extra["include"]:
        raise wrong("this matrix has no combination", "name an axis and its values")
    return Matrix(axes, exclude=extra["exclude"], include=extra["include"])


def _values(axis: str, value: object) -> tuple[str, ...]:
    if not NAME.fullmatch(axis):
        raise wrong(f"`{axis}` is no name of an axis", "use letters, digits, `_` and `-`")
    listed = _listed(value)
    if not isinstance(listed, list) or not listed or not all(isinstance(v, str) for v in listed):
        cure = f'write `{axis}: ["first", "second"]`'
        raise wrong(f"the axis `{axis}` needs a list of one value or more", cure)
    if len(set(listed)) < len(listed):
        raise wrong(f"the axis `{axis}` has a value twice", "leave each value there once")
    return tuple(_no_nul(value) for value in listed)


def _combinations(key: str, value: object) -> tuple[Mapping[str, str], ...]:
    rows = value if isinstance(value, list) else [value]
    if len(rows) > LIMIT:
        raise wrong(
            f"`{key}` has {len(rows)} rows, more than the {LIMIT} allowed", "leave some out"
        )
    for row in rows:
        held = row if isinstance(row, Mapping) else {}
        if not held or not all(isinstance(v, str) for v in held.values()):
            raise wrong(f"`{key}` holds a list of combinations", "write `- {axis: value}`")
        for axis, named in held.items():
            _values(axis, named)
    return tuple(rows)


class Retry(Model):
    """When and how often a step that did not succeed is tried again."""

    limit: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2, description="How many tries there may be after the first."
    )
    on: Annotated[list[RetryEnd], _EndsOf] = Field(
        default=["error"],
        description="After which ends: `failure`, `error`, `timeout`, or exit codes such as `75`.",
    )
    backoff: Seconds = Field(
        default=5.0, description="How long to wait before the second try; doubled for each next."
    )


class Step(Model):
    """One step: what it runs, where, after whom and when."""

    run: Text | None = Field(default=None, description="The script, of less than 128 KiB.")
    image: Text | None = Field(
        default=None, description="The container image; on one machine the step runs as a process."
    )
    shell: Annotated[list[Text], _ListOf] | None = Field(
        default=None, description="The program that runs the script: `sh`, `bash` or any other."
    )
    needs: Annotated[list[str], _ListOf] = Field(
        default=[], description="The steps that must have ended before; their workspaces merge."
    )
    when: Text | None = Field(
        default=None, description="A condition; if it is false the step is skipped."
    )
    env: Environment = Field(default={}, description="Variables of this step.")
    secrets: Annotated[list[SecretName], _ListOf] = Field(
        default=[],
        description="The repository's secrets that it finds in variables of the same names.",
    )
    services: dict[ServiceName, Service] = Field(
        default={}, description="Programs that run beside it, by name."
    )
    resources: Resources = Field(default=Resources(), description="What it asks of the machine.")
    matrix: Annotated[
        Matrix | None,
        PlainValidator(_matrix),
        WithJsonSchema({"type": "object"}),
    ] = Field(default=None, description="Axes; the step runs once for every combination.")
    outputs: Annotated[list[OutputName], _ListOf] = Field(
        default=[], description="The values it writes to `$CI_OUTPUT` for others."
    )
    artifacts: Annotated[list[Glob], _ListOf] = Field(
        default=[], description="Globs of the files it leaves for people to fetch."
    )
    timeout: Seconds | None = Field(default=None, description="How long it may run.")
    grace: Seconds | None = Field(
        default=None, description="How long it may take to end after SIGTERM, before SIGKILL."
    )
    allow_failure: Bool = Field(
        default=False, description="Whether the run goes on, as a warning, when it fails."
    )
    retry: Retry | None = Field(default=None, description="When it is tried again.")


class OnConflict(StrEnum):
    """What happens when two branches of the graph changed the same file differently."""

    WARN = "warn"
    FAIL = "fail"


class Workspace(Model):
    """How workspaces of several needs come together."""

    on_conflict: OnConflict = Field(
        default=OnConflict.WARN,
        description="`warn`: the later need wins and the run says so; `fail`: it is an error.",
    )


class Config(Model):
    """A whole `.ci.yaml`."""

    on: Annotated[Triggers, BeforeValidator(_triggers)] = Field(
        default=Triggers(push=PushTrigger(), pull_request=PullRequestTrigger()),
        description="Which events make a run; by default pushes to branches and pull requests.",
    )
    env: Environment = Field(default={}, description="Variables of every step.")
    defaults: Defaults = Field(
        default=Defaults(), description="What holds for every step that does not say otherwise."
    )
    steps: dict[StepName, Step] = Field(min_length=1, description="The steps by name.")
    finally_: dict[StepName, Step] = Field(
        default={},
        alias="finally",
        description="Steps that run when all else has ended, whatever the outcome.",
    )
    fail_fast: Bool = Field(
        default=False, description="Whether the first failure stops everything else."
    )
    workspace: Workspace = Field(default=Workspace(), description="How workspaces come together.")


def parse(tree: Any) -> Config:
    """Return the config that a tree of plain values holds; raises pydantic's ValidationError."""
    return Config.model_validate(tree)
