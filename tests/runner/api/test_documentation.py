"""docs/api.md against the code: every route, every error, every field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from pipelines.states import State
from runner.api import artifacts, deliveries, hooks, logs, repositories, runs, secrets, tokens
from runner.api.access import Visitor
from runner.api.errors import ApiError
from runner.api.run_view import full, reload
from runner.database import hooks as hook_rows
from runner.tokens import Scope, mint
from tests.support.seeds import NOW, Instance, a_step

DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


def addresses(app: Starlette) -> set[str]:
    """Return every route as `METHOD /path/{name}`."""
    found: set[str] = set()
    for route in app.routes:
        if isinstance(route, Mount):
            found.add(f"GET {route.path}/{{path}}")
        elif isinstance(route, Route):
            path = re.sub(r":[a-z]+}", "}", route.path)
            methods = (route.methods or {"POST"}) - {"HEAD"}
            found |= {f"{method} {path}" for method in methods}
    return found


def errors(kind: type[ApiError] = ApiError) -> set[type[ApiError]]:
    return {kind}.union(*(errors(child) for child in kind.__subclasses__()))


def test_every_route_is_documented_and_no_other(instance: Instance) -> None:
    told = set(re.findall(r"`((?:GET|POST|DELETE) /[^` ?]*)", TEXT))
    assert told == addresses(instance.app())


def test_every_error_is_documented_and_no_other() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \| ([0-9]{3}) \|", TEXT, re.MULTILINE)
    real = {(error.code, str(error.status)) for error in errors() - {ApiError}}
    assert set(told) == real
    assert len(told) == len(real)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in errors()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    "model",
    [
        repositories.NewRepository,
        hooks.NewHook,
        hooks.OfRepository,
        secrets.NewSecret,
        secrets.WhoseSecrets,
        deliveries.DeliveryPage,
        tokens.NewToken,
        runs.RunPage,
        runs.Rerun,
        logs.Text,
        logs.Lines,
        artifacts.Which,
    ],
)
def test_every_field_that_is_taken_is_documented(model: type[BaseModel]) -> None:
    names = [field.alias or name for name, field in model.model_fields.items()]
    assert [name for name in names if f"`{name}`" not in TEXT] == []


def test_every_field_that_is_told_is_documented(instance: Instance) -> None:
    repository = instance.repository()
    digest, files = instance.snapshot({"a": b"a"})
    step = a_step("test", State.FAILURE, snapshot=digest, artifacts=files)
    run = instance.run(repository, steps=[step])
    hook_id = instance.hook(repository)
    _, token = mint("ada", (Scope.ADMIN,), NOW)
    with instance.database.read() as tx:
        view = reload(tx, run.id)
        hook = hook_rows.find(tx, hook_id)
    assert view is not None
    assert hook is not None
    told = [
        full(view, ""),
        repositories.shape(repository, Visitor(token)),
        tokens.shape(token, {}),
        hooks.Hooks(instance.services, None)._shape(hook),  # type: ignore[arg-type]
    ]
    assert [name for name in names_in(told) if f"`{name}`" not in TEXT] == []


def names_in(value: Any) -> set[str]:
    match value:
        case dict():
            return set(value).union(*(names_in(one) for one in value.values()))
        case list():
            return set().union(*(names_in(one) for one in value))
        case _:
            return set()
