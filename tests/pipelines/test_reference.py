"""The reference of the file names every key, variable and field that there is."""

from __future__ import annotations

import pytest

from pipelines import reference, schema
from pipelines.names import EVENT_FIELDS
from pipelines.variables import REFERENCE

KEYS = reference.keys()


def test_every_model_has_a_section() -> None:
    models = {model for _, model in reference.SECTIONS}
    assert models == set(schema.Model.__subclasses__())


def test_every_key_has_a_row_with_its_meaning() -> None:
    rows = [line for line in KEYS.split("\n") if line.startswith("| `")]
    assert {row.split("`")[1] for row in rows} == reference.key_names()
    assert {"finally", "on", "when", "retry"} <= reference.key_names()
    assert all(row.count(" | ") == 3 and row.endswith(". |") for row in rows)


@pytest.mark.parametrize(
    ("key", "holds", "default"),
    [
        ("timeout", "duration", "none"),
        ("fail_fast", "`true` or `false`", "`false`"),
        ("steps", "mapping", "required"),
        ("limit", "whole number", "`2`"),
        ("needs", "text or list", "none"),
        ("backoff", "duration", "`5s`"),
        ("when", "text", "none"),
        ("secrets", "text or list", "none"),
        ("services", "mapping", "none"),
        ("cpu", "processors", "none"),
        ("memory", "size", "none"),
        ("image", "text", "required"),
        ("on_conflict", "`warn` or `fail`", "`warn`"),
    ],
)
def test_what_a_key_holds_and_what_holds_without_it(key: str, holds: str, default: str) -> None:
    assert f"| `{key}` | {holds} | {default} | " in KEYS


def test_variables_and_fields() -> None:
    assert all(
        f"| `{name}` | {meaning} |" in reference.variables() for name, meaning in REFERENCE.items()
    )
    assert all(f"`event.{name}`" in reference.event_fields() for name in EVENT_FIELDS)
