"""What is wrong with a file that could be read, before anyone looked up where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from pipelines import schema
from pipelines.documents import KEY, Loc
from pipelines.suggestions import did_you_mean


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong at a place in the tree; `column` counts within the value's text."""

    loc: Loc
    code: str
    message: str
    cure: str
    column: int | None = None


_Models: TypeAlias = dict[Loc, type[BaseModel]]

_BY_PATH: _Models = {
    (): schema.Config,
    ("on",): schema.Triggers,
    ("on", "push"): schema.PushTrigger,
    ("on", "tag"): schema.TagTrigger,
    ("on", "pull_request"): schema.PullRequestTrigger,
    ("defaults",): schema.Defaults,
    ("defaults", "resources"): schema.Resources,
    ("*",): schema.Step,
    ("*", "retry"): schema.Retry,
    ("*", "resources"): schema.Resources,
    ("*", "services", "*"): schema.Service,
    ("*", "services", "*", "resources"): schema.Resources,
    ("workspace",): schema.Workspace,
}
"""The model at each place; `*` stands for a step, of either kind, and for the name of a service."""

_WANTED = {
    "string_type": ("text", "write some text, in quotes if need be"),
    "list_type": ("a list", "write `[first, second]`, or one `- item` a line"),
    "dict_type": ("a mapping", "write `key: value` lines below it"),
    "model_type": ("a mapping", "write `key: value` lines below it"),
    "int_parsing": ("a whole number", "write for example `2`"),
    "int_parsing_size": ("a whole number", "write for example `2`"),
    "int_type": ("a whole number", "write for example `2`"),
}


def of_validation(error: ValidationError) -> Iterator[Complaint]:
    """Yield what pydantic found, in words for the author of the file."""
    return map(_complaint, error.errors(include_url=False))


def instead_of(name: str, known: Iterable[str]) -> str:
    """Return `did you mean …?` for the nearest known name, or the names there are."""
    names = list(islice(known, 500))
    if near := did_you_mean(name, names):
        return near
    if not names:
        return "there is none"
    shown = ", ".join(f"`{known}`" for known in names[:12])
    return f"known: {shown}" + (", …" if len(names) > 12 else "")


def _complaint(detail: Any) -> Complaint:
    loc: Loc = tuple(detail["loc"])
    kind: str = detail["type"]
    if kind == "hookline":
        return Complaint(loc, "value", detail["ctx"]["message"], detail["ctx"]["cure"])
    if kind == "extra_forbidden":
        return _unknown_key(loc)
    if kind == "missing":
        return Complaint(loc[:-1], "missing", f"`{loc[-1]}` is missing", f"add `{loc[-1]}:`")
    if kind in _WANTED:
        return _wanted(loc, kind, detail["input"])
    if kind == "too_short":
        return Complaint(loc, "empty", f"`{loc[-1]}` is empty", "name at least one step")
    if kind == "enum":
        expected = detail["ctx"]["expected"].replace("'", "`")
        return Complaint(loc, "value", f"`{detail['input']}` is not known here", f"use {expected}")
    message = f"`{loc[-1]}` is not as it should be"
    return Complaint(
        loc, "value", message, detail["msg"].lower().replace("input should", "it must")
    )


def _unknown_key(loc: Loc) -> Complaint:
    *above, key = loc
    model = _BY_PATH[_generalised(tuple(above))]
    known = [field.alias or name for name, field in model.model_fields.items()]
    return Complaint(
        (*loc, KEY), "unknown-key", f"unknown key `{key}`", instead_of(str(key), known)
    )


def _generalised(loc: Loc) -> Loc:
    if len(loc) >= 2 and loc[0] in ("steps", "finally"):
        within = loc[2:]
        if len(within) >= 2 and within[0] == "services":
            within = ("services", "*", *within[2:])
        return ("*", *within)
    return loc


def _wanted(loc: Loc, kind: str, held: object) -> Complaint:
    what, cure = _WANTED[kind]
    key = next((f"`{part}`" for part in reversed(loc) if isinstance(part, str)), "the file")
    has = "is empty" if held is None else f"holds {_shape(held)}"
    return Complaint(loc, "type", f"{key} {has} where {what} is wanted", cure)


def _shape(held: object) -> str:
    match held:
        case str():
            return f"the text `{held[:40]}`"
        case list():
            return "a list"
        case _:
            return "a mapping"
