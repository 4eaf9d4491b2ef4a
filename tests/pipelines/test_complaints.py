"""What pydantic finds is told in the words of the file's author."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from pipelines import schema
from pipelines.complaints import Complaint, instead_of, of_validation
from pipelines.documents import KEY, Loc


def complaints(tree: Any) -> list[Complaint]:
    with pytest.raises(ValidationError) as refused:
        schema.parse(tree)
    return list(of_validation(refused.value))


def tree_with(place: Loc) -> dict[str, Any]:
    """Return a valid tree that has an unknown key in the mapping at a place."""
    tree: dict[str, Any] = {"steps": {"a": {"run": "x"}}}
    here: Any = tree
    for part in place:
        here = here.setdefault(part, {})
    here["zzz"] = "x"
    return tree


@pytest.mark.parametrize(
    ("place", "known"),
    [
        ((), "`on`, `env`, `defaults`, `steps`, `finally`, `fail_fast`, `workspace`"),
        (("on",), "`push`, `tag`, `pull_request`"),
        (("on", "push"), "`branches`, `paths`"),
        (("on", "tag"), "`tags`"),
        (("on", "pull_request"), "`branches`, `paths`"),
        (("defaults",), "`image`, `timeout`, `shell`, `env`, `resources`"),
        (("defaults", "resources"), "`cpu`, `memory`, `disk`"),
        (("steps", "a", "resources"), "`cpu`, `memory`, `disk`"),
        (("finally", "f", "resources"), "`cpu`, `memory`, `disk`"),
        (("steps", "a", "retry"), "`limit`, `on`, `backoff`"),
        (("finally", "f", "retry"), "`limit`, `on`, `backoff`"),
        (("workspace",), "`on_conflict`"),
    ],
    ids=lambda value: ".".join(value) or "file" if isinstance(value, tuple) else "",
)
def test_an_unknown_key_is_told_which_there_are(place: Loc, known: str) -> None:
    assert complaints(tree_with(place)) == [
        Complaint((*place, "zzz", KEY), "unknown-key", "unknown key `zzz`", f"known: {known}")
    ]


@pytest.mark.parametrize("section", ["steps", "finally"])
def test_of_many_known_keys_a_dozen_is_named(section: str) -> None:
    (complaint,) = complaints(tree_with((section, "a")))
    assert complaint.cure.startswith("known: `run`, `image`, ")
    assert complaint.cure.endswith("`artifacts`, …")


def test_services_are_looked_at_however_they_are_called() -> None:
    service = {"image": "x", "zzz": "x", "resources": {"zzz": "x"}}
    tree = {"steps": {"a": {"run": "x", "services": {"steps": service}}}}
    assert [(complaint.loc, complaint.cure) for complaint in complaints(tree)] == [
        (
            ("steps", "a", "services", "steps", "resources", "zzz", KEY),
            "known: `cpu`, `memory`, `disk`",
        ),
        (
            ("steps", "a", "services", "steps", "zzz", KEY),
            "known: `image`, `command`, `env`, `ready`, `resources`",
        ),
    ]


def test_every_model_is_looked_at() -> None:
    """A key of every model is asked for above; a new model must be added there and here."""
    models = {kind for kind in vars(schema).values() if isinstance(kind, type)}
    named = {kind.__name__ for kind in models if issubclass(kind, schema.Model)}
    assert named == {
        "Model",
        "Config",
        "Triggers",
        "PushTrigger",
        "TagTrigger",
        "PullRequestTrigger",
        "Defaults",
        "Step",
        "Retry",
        "Resources",
        "Service",
        "Workspace",
    }


@pytest.mark.parametrize(
    ("tree", "complaint"),
    [
        ({}, Complaint((), "missing", "`steps` is missing", "add `steps:`")),
        (
            {"steps": {}},
            Complaint(("steps",), "empty", "`steps` is empty", "name at least one step"),
        ),
        (
            {"steps": {"a": {"run": ["x"]}}},
            Complaint(
                ("steps", "a", "run"),
                "type",
                "`run` holds a list where text is wanted",
                "write some text, in quotes if need be",
            ),
        ),
        (
            {"steps": {"a": {"run": None, "needs": [{}]}}},
            Complaint(
                ("steps", "a", "needs", 0),
                "type",
                "`needs` holds a mapping where text is wanted",
                "write some text, in quotes if need be",
            ),
        ),
        (
            {"steps": {"a": {"run": "x", "retry": {"limit": "9" * 5000}}}},
            Complaint(
                ("steps", "a", "retry", "limit"),
                "type",
                f"`limit` holds the text `{'9' * 40}` where a whole number is wanted",
                "write for example `2`",
            ),
        ),
        (
            [],
            Complaint(
                (),
                "type",
                "the file holds a list where a mapping is wanted",
                "write `key: value` lines below it",
            ),
        ),
    ],
    ids=range(6),
)
def test_a_complaint(tree: Any, complaint: Complaint) -> None:
    assert complaints(tree) == [complaint]


def test_a_rule_that_has_no_words_of_its_own_is_told_in_pydantics() -> None:
    class Other(BaseModel):
        name: Annotated[str, Field(max_length=3)]

    with pytest.raises(ValidationError) as refused:
        Other.model_validate({"name": "long"})
    (complaint,) = of_validation(refused.value)
    assert complaint.message == "`name` is not as it should be"
    assert complaint.cure == "string should have at most 3 characters"


@pytest.mark.parametrize(
    ("name", "known", "cure"),
    [
        ("biuld", ["test", "build"], "did you mean `build`?"),
        ("x", ["test", "build"], "known: `test`, `build`"),
        ("x", [], "there is none"),
        ("x", [f"n{n}" for n in range(12)], "known: " + ", ".join(f"`n{n}`" for n in range(12))),
        (
            "x",
            [f"n{n}" for n in range(13)],
            "known: " + ", ".join(f"`n{n}`" for n in range(12)) + ", …",
        ),
    ],
    ids=range(5),
)
def test_instead_of(name: str, known: list[str], cure: str) -> None:
    assert instead_of(name, known) == cure
