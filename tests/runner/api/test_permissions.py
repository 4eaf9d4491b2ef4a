"""Every route against every kind of visitor, for public and private repositories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from pipelines.states import RunStatus, State
from runner.database import repositories, secrets
from runner.database.words import Visibility
from runner.tokens import Scope
from tests.runner.api.test_documentation import addresses
from tests.support.seeds import Instance, a_step

STEP = "test (image=debian/12)"


class Who(StrEnum):
    """Who asks."""

    ANONYMOUS = "anonymous"
    STRANGER = "admin of another repository"
    READER = "reader"
    OWN = "reader of this repository"
    WRITER = "writer"
    ADMIN = "admin"


class Needs(StrEnum):
    """What a route asks of a visitor."""

    NOTHING = "nothing"
    SIGHT = "may see the repository"
    TOKEN = "a token that reads the repository"
    WRITE = "a token that writes"
    MANAGE = "a token that administers the repository"
    INSTANCE = "a token that administers the instance"


@dataclass(frozen=True)
class Scene:
    """What the addresses of one visitor's requests name."""

    repository: str
    run: str
    running: str
    hook: str
    delivery: str
    token: str

    @property
    def encoded(self) -> str:
        """The repository's name as one part of a path."""
        return quote(self.repository, safe="")


@dataclass(frozen=True)
class Ask:
    """A request, what it needs, and how it is answered to those who have that."""

    method: str
    path: str
    needs: Needs
    status: int = 200
    json: dict[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


S = quote(STEP, safe="")
ASKS = [
    Ask("GET", "/api/v1/repositories", Needs.NOTHING),
    Ask(
        "POST",
        "/api/v1/repositories",
        Needs.INSTANCE,
        201,
        {"name": "new/one", "forge": "git", "clone_url": "/srv/git/new"},
    ),
    Ask("GET", "/api/v1/repositories/{s.repository}", Needs.SIGHT),
    # A run of it goes on, so that nobody's asking has an effect; test_repositories.py has the rest.
    Ask("DELETE", "/api/v1/repositories/{s.repository}", Needs.MANAGE, 409),
    Ask("GET", "/api/v1/hooks?repository={s.repository}", Needs.MANAGE),
    Ask("POST", "/api/v1/hooks", Needs.MANAGE, 201, {"repository": "{s.repository}"}),
    Ask("DELETE", "/api/v1/hooks/{s.hook}", Needs.MANAGE, 204),
    Ask("GET", "/api/v1/secrets?repository={s.repository}", Needs.MANAGE),
    Ask(
        "POST",
        "/api/v1/secrets",
        Needs.MANAGE,
        201,
        {"repository": "{s.repository}", "name": "OTHER", "value": "hush"},
    ),
    Ask("DELETE", "/api/v1/secrets/{s.encoded}/KEY", Needs.MANAGE, 204),
    Ask("GET", "/api/v1/deliveries?repository={s.repository}", Needs.TOKEN),
    Ask("GET", "/api/v1/deliveries/{s.delivery}", Needs.TOKEN),
    Ask("GET", "/api/v1/tokens", Needs.INSTANCE),
    Ask("POST", "/api/v1/tokens", Needs.INSTANCE, 201, {"name": "x", "scope": "read"}),
    Ask("DELETE", "/api/v1/tokens/{s.token}", Needs.INSTANCE, 204),
    Ask("GET", "/api/v1/runs", Needs.NOTHING),
    Ask("GET", "/api/v1/runs?repository={s.repository}", Needs.SIGHT),
    Ask("GET", "/api/v1/runs/{s.run}", Needs.SIGHT),
    Ask("POST", "/api/v1/runs/{s.run}/rerun", Needs.WRITE, 202, {"mode": "all"}),
    Ask("POST", "/api/v1/runs/{s.running}/cancel", Needs.WRITE, 202),
    Ask("GET", "/api/v1/runs/{s.run}/stream", Needs.SIGHT),
    Ask("GET", f"/api/v1/runs/{{s.run}}/steps/{S}/log", Needs.SIGHT),
    Ask("GET", f"/api/v1/runs/{{s.run}}/steps/{S}/log/stream", Needs.SIGHT),
    Ask("GET", f"/api/v1/runs/{{s.run}}/steps/{S}/artifacts/log/a.txt", Needs.SIGHT),
    Ask("GET", "/deliveries/{s.delivery}/progress", Needs.NOTHING),
    Ask("GET", "/badges/{s.repository}.svg", Needs.NOTHING),
    Ask("GET", "/healthz", Needs.NOTHING),
    Ask("GET", "/readyz", Needs.NOTHING),
    Ask("GET", "/", Needs.NOTHING),
    Ask("GET", "/login", Needs.NOTHING),
    Ask("GET", "/runs/{s.run}", Needs.SIGHT),
    Ask("GET", f"/runs/{{s.run}}/steps/{S}/lines?attempt=1", Needs.SIGHT),
    Ask("POST", "/runs/{s.running}/cancel", Needs.WRITE, 303),
    Ask("GET", "/static/style.css", Needs.NOTHING),
]

HOLDS: dict[Needs, frozenset[Who]] = {
    Needs.NOTHING: frozenset(Who),
    Needs.SIGHT: frozenset({Who.READER, Who.OWN, Who.WRITER, Who.ADMIN}),
    Needs.TOKEN: frozenset({Who.READER, Who.OWN, Who.WRITER, Who.ADMIN}),
    Needs.WRITE: frozenset({Who.WRITER, Who.ADMIN}),
    Needs.MANAGE: frozenset({Who.ADMIN}),
    Needs.INSTANCE: frozenset({Who.ADMIN}),
}


def expected(ask: Ask, who: Who, visibility: Visibility) -> int:
    """Return the status that a visitor must get: the rules of docs/api.md in a few lines."""
    public = visibility is Visibility.PUBLIC
    if who in HOLDS[ask.needs] or (ask.needs is Needs.SIGHT and public):
        return ask.status
    if who is Who.ANONYMOUS and (ask.method != "GET" or ask.needs is Needs.INSTANCE or public):
        return 401
    hidden = who in (Who.ANONYMOUS, Who.STRANGER) and not public
    return 404 if hidden and ask.needs is not Needs.INSTANCE else 403


def a_scene(instance: Instance, who: Who, visibility: Visibility) -> Scene:
    repository = instance.repository(f"acme/{who.name.lower()}", visibility)
    with instance.database.write() as tx:
        secrets.put(tx, repository.id, "KEY", sealed="v1.a.b", by="ann", at=0.0)
    digest, artifacts = instance.snapshot({"log/a.txt": b"a"})
    step = a_step(STEP, State.FAILURE, snapshot=digest, artifacts=artifacts)
    run = instance.run(repository, RunStatus.FAILURE, steps=[step])
    running = instance.run(repository, RunStatus.RUNNING)
    hook = instance.hook(repository)
    delivery = instance.delivery(hook, ("refs/heads/main", run.id, None))
    token = instance.token(Scope.READ)[4:12]
    return Scene(repository.name, run.id, running.id, hook, delivery, token)


def headers_of(instance: Instance, who: Who, scene: Scene) -> dict[str, str]:
    with instance.database.read() as tx:
        own = repositories.named(tx, scene.repository)
    makers: dict[Who, Callable[[], dict[str, str]]] = {
        Who.ANONYMOUS: dict,
        Who.STRANGER: lambda: instance.bearer(Scope.ADMIN, instance.repository("other/one")),
        Who.READER: lambda: instance.bearer(Scope.READ),
        Who.OWN: lambda: instance.bearer(Scope.READ, own),
        Who.WRITER: lambda: instance.bearer(Scope.WRITE),
        Who.ADMIN: lambda: instance.bearer(Scope.ADMIN),
    }
    return makers[who]()


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("ask", ASKS, ids=str)
def test_who_may(instance: Instance, client: TestClient, ask: Ask, visibility: Visibility) -> None:
    answers: dict[Who, int] = {}
    for who in Who:
        scene = a_scene(instance, who, visibility)
        path = ask.path.replace("%28", "(").format(s=scene)
        body = {k: v.format(s=scene) for k, v in ask.json.items()} if ask.json else None
        headers = headers_of(instance, who, scene)
        answer = client.request(ask.method, path, json=body, headers=headers)
        answers[who] = answer.status_code
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answers == {who: expected(ask, who, visibility) for who in Who}


def test_the_table_has_every_route(instance: Instance) -> None:
    asked = {f"{ask.method} {ask.path.partition('?')[0]}" for ask in ASKS}
    names = ("repository", "run", "running", "hook", "delivery", "token")
    for name in names:
        generic = "{name}" if name == "repository" else "{id}"
        asked = {text.replace(f"{{s.{name}}}", generic) for text in asked}
    asked = {text.replace("{s.encoded}/KEY", "{repository}/{name}") for text in asked}
    asked = {text.replace(S, "{step}").replace("log/a.txt", "{path}") for text in asked}
    asked = {text.replace("/static/style.css", "/static/{path}") for text in asked}
    # Without a session there is nothing to end; deliveries have their secret. Tested on their own.
    elsewhere = {"POST /login", "POST /logout", "POST /hooks/{forge}/{hook_id}"}
    elsewhere |= {"POST /runs/{id}/rerun"}
    assert addresses(instance.app()) == asked | elsewhere


def test_what_is_private_looks_like_what_is_not_there(
    instance: Instance, client: TestClient
) -> None:
    scene = a_scene(instance, Who.ANONYMOUS, Visibility.PRIVATE)
    for here, nowhere in (
        (f"/api/v1/repositories/{scene.repository}", "/api/v1/repositories/acme/nothing"),
        (f"/api/v1/runs/{scene.run}", "/api/v1/runs/" + "0" * 26),
        (f"/api/v1/deliveries/{scene.delivery}", "/api/v1/deliveries/" + "0" * 26),
        (f"/runs/{scene.run}", "/runs/" + "0" * 26),
    ):
        seen, unseen = client.get(here), client.get(nowhere)
        assert seen.status_code == unseen.status_code == 404
        same = seen.text.replace(scene.repository, "acme/nothing")
        assert same == unseen.text
