"""The reference of `.ci.yaml`, made from the models and tables that the code itself uses."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipelines import schema
from pipelines.names import EVENT_FIELDS
from pipelines.variables import REFERENCE

SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The file", schema.Config),
    ("`on`", schema.Triggers),
    ("`on.push`", schema.PushTrigger),
    ("`on.tag`", schema.TagTrigger),
    ("`on.pull_request`", schema.PullRequestTrigger),
    ("`defaults`", schema.Defaults),
    ("A step, in `steps` or `finally`", schema.Step),
    ("`resources`", schema.Resources),
    ("A service, in `services`", schema.Service),
    ("`retry`", schema.Retry),
    ("`workspace`", schema.Workspace),
)


def keys() -> str:
    """Return a table of keys for every model of the file, in Markdown."""
    return "\n".join("\n".join(_section(title, model)) for title, model in SECTIONS)


def variables() -> str:
    """Return the table of the variables that steps find, in Markdown."""
    rows = [f"| `{name}` | {meaning} |" for name, meaning in REFERENCE.items()]
    return "\n".join(["| variable | what it holds |", "| --- | --- |", *rows]) + "\n"


def event_fields() -> str:
    """Return the list of what `event.` may be followed by, in Markdown."""
    return ", ".join(f"`event.{name}`" for name in EVENT_FIELDS) + "\n"


def key_names() -> frozenset[str]:
    """Return every key that there is."""
    return frozenset(_name(*item) for _, model in SECTIONS for item in model.model_fields.items())


def _section(title: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"#### {title}\n"
    yield f"{str(model.__doc__).strip()}\n"
    yield "| key | holds | default | meaning |"
    yield "| --- | --- | --- | --- |"
    properties = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        key = _name(name, field)
        holds = _holds(properties[key])
        yield f"| `{key}` | {holds} | {_default(field)} | {field.description} |"
    yield ""


def _name(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _holds(described: dict[str, object]) -> str:
    """Return in a word or two what a key may hold, from its JSON schema."""
    match described:
        case {"anyOf": list(kinds)}:
            words = [_holds(kind) for kind in kinds if kind.get("type") != "null"]
            return " or ".join(dict.fromkeys(words))
        case {"type": ["string", "number"]}:
            return "duration"
        case {"type": ["number", "string"]}:
            return "processors"
        case {"type": ["string", "integer"]}:
            return "size"
        case {"enum": list(words)}:
            return ", ".join(f"`{word}`" for word in words)
        case {"type": "array"}:
            return "list"
        case {"type": "object"} | {"$ref": _} | {"allOf": _}:
            return "mapping" if "OnConflict" not in str(described) else "`warn` or `fail`"
        case {"type": "string"}:
            return "text"
        case {"type": "boolean"}:
            return "`true` or `false`"
        case _:
            return "whole number"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value in ([], {}) or isinstance(value, BaseModel):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    if isinstance(value, float):
        return f"`{value:g}s`"
    return f"`{value}`"
