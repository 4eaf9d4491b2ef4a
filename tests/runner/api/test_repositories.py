from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from pipelines.states import RunStatus
from runner.api.repositories import default_api_url, default_web_url
from runner.database import audit, repositories
from runner.database.words import Visibility
from runner.secrets import repository_context
from runner.tokens import Scope
from tests.support.seeds import Instance

PLACE = "/api/v1/repositories"
NEW = {"name": "acme/demo", "forge": "github", "clone_url": "https://github.com/acme/demo.git"}


def created(instance: Instance, client: TestClient, **values: Any) -> tuple[int, dict[str, Any]]:
    admin = instance.bearer(Scope.ADMIN)
    answer = client.post(PLACE, json={**NEW, **values}, headers=admin)
    return answer.status_code, answer.json()


def test_a_repository_is_made(instance: Instance, client: TestClient) -> None:
    status, told = created(instance, client)
    assert status == 201
    assert told["badge_key"]
    del told["badge_key"]
    assert told == {
        "name": "acme/demo",
        "forge": "github",
        "web_url": "https://github.com/acme/demo",
        "default_branch": "main",
        "visibility": "private",
        "created_at": instance.clock.now(),
        "clone_url": "https://github.com/acme/demo.git",
        "api_url": "https://api.github.com",
        "has_token": False,
    }
    assert client.get(f"{PLACE}/acme/demo", headers=instance.bearer(Scope.READ)).json() == {
        key: told[key]
        for key in ("name", "forge", "web_url", "default_branch", "visibility", "created_at")
    }


def test_its_token_is_sealed_and_never_told(instance: Instance, client: TestClient) -> None:
    status, told = created(instance, client, token="ghp_secret")
    assert (status, told["has_token"]) == (201, True)
    assert "ghp_secret" not in str(told)
    with instance.database.read() as tx:
        stored = repositories.named(tx, "acme/demo")
    assert stored is not None
    assert stored.token is not None
    assert "ghp_secret" not in stored.token
    opened = instance.services.keyring.decrypt(stored.token, repository_context("acme/demo"))
    assert opened == "ghp_secret"


def test_a_name_is_taken_once(instance: Instance, client: TestClient) -> None:
    assert created(instance, client)[0] == 201
    status, told = created(instance, client)
    assert (status, told["error"]["code"]) == (409, "name-taken")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a/b/c/d/e"),
        ("name", "a b"),
        ("name", "../x"),
        ("name", "a/./b"),
        ("name", "/a"),
        ("name", "ü"),
        ("name", "a\n"),
        ("forge", "gitlab"),
        ("clone_url", "ftp://example.com/x"),
        ("clone_url", "http://example.com/x.git"),
        ("clone_url", "https://user:hunter2@example.com/x.git"),
        ("clone_url", "ext::sh -c id"),
        ("clone_url", "relative/path"),
        ("clone_url", "--upload-pack=x"),
        ("clone_url", "http://[::1/x"),
        ("api_url", "http://api.example.com"),
        ("api_url", "https://user@api.example.com"),
        ("api_url", "javascript:alert(1)"),
        ("api_url", "https://"),
        ("api_url", "https://[::1"),
        ("api_url", "https://x:99999/"),
        ("web_url", "javascript:alert(1)//https://"),
        ("web_url", 'https://x/"><script>'),
        ("web_url", "https://x/ y"),
        ("default_branch", "-x"),
        ("default_branch", "a..b"),
        ("visibility", "secret"),
        ("token", ""),
        ("token", "hunter2\nmore"),
        ("token", "hunter2 more"),
        ("token", "hünter2"),
    ],
)
def test_what_could_do_harm_is_refused(
    instance: Instance, client: TestClient, field: str, value: str
) -> None:
    status, told = created(instance, client, **{field: value})
    assert (status, told["error"]["code"]) == (422, "bad-field")
    assert field in told["error"]["message"]
    assert "hunter2" not in told["error"]["message"]


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/acme/demo.git",
        "ssh://git@git.example.com/acme/demo.git",
        "/srv/git/demo.git",
        "http://127.0.0.1:3000/acme/demo.git",
        "http://localhost/acme/demo.git",
        "http://[::1]:3000/acme/demo.git",
    ],
)
def test_where_it_may_be_fetched_from(instance: Instance, client: TestClient, url: str) -> None:
    status, told = created(instance, client, forge="git", clone_url=url)
    assert (status, told.get("clone_url")) == (201, url)


def test_what_is_given_is_taken(instance: Instance, client: TestClient) -> None:
    values = {
        "api_url": "http://127.0.0.1:3000/api/",
        "web_url": "https://forge.example.com/acme/demo",
        "default_branch": "trunk",
        "visibility": "public",
    }
    status, told = created(instance, client, **values)
    assert status == 201
    assert {key: told[key] for key in values} == {**values, "api_url": "http://127.0.0.1:3000/api"}


@pytest.mark.parametrize(
    ("forge", "clone_url", "api_url", "web_url"),
    [
        (
            "github",
            "https://github.com/a/b.git",
            "https://api.github.com",
            "https://github.com/a/b",
        ),
        ("github", "ssh://git@github.com/a/b.git", "https://api.github.com", None),
        ("github", "https://ghe.corp/a/b", "https://ghe.corp/api/v3", "https://ghe.corp/a/b"),
        ("gitea", "https://t.eu:8443/a/b.git", "https://t.eu:8443", "https://t.eu:8443/a/b"),
        ("forgejo", "ssh://git@codeberg.org/a/b", "https://codeberg.org", None),
        (
            "gitea",
            "http://127.0.0.1:3000/a/b",
            "http://127.0.0.1:3000",
            "http://127.0.0.1:3000/a/b",
        ),
        ("gitea", "/srv/git/b.git", None, None),
        ("git", "https://git.example.com/b.git", None, None),
    ],
)
def test_what_a_clone_url_tells(
    forge: str, clone_url: str, api_url: str | None, web_url: str | None
) -> None:
    assert default_api_url(forge, clone_url) == api_url
    assert default_web_url(forge, clone_url) == web_url


def test_the_list_has_what_one_may_see(instance: Instance, client: TestClient) -> None:
    instance.repository("a/public", Visibility.PUBLIC)
    own = instance.repository("b/private")
    instance.repository("c/private")

    def names(headers: dict[str, str]) -> list[str]:
        told = client.get(PLACE, headers=headers).json()["repositories"]
        return [one["name"] for one in told]

    assert names({}) == ["a/public"]
    assert names(instance.bearer(Scope.READ, own)) == ["a/public", "b/private"]
    assert names(instance.bearer(Scope.READ)) == ["a/public", "b/private", "c/private"]


def test_who_administers_one_sees_where_it_lies(instance: Instance, client: TestClient) -> None:
    own = instance.repository("a/one", Visibility.PUBLIC)
    instance.repository("a/two", Visibility.PUBLIC)
    admin = instance.bearer(Scope.ADMIN, own)
    assert "clone_url" in client.get(f"{PLACE}/a/one", headers=admin).json()
    assert "clone_url" not in client.get(f"{PLACE}/a/two", headers=admin).json()


def test_deleting_takes_everything_with_it(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository())
    admin = instance.bearer(Scope.ADMIN, name="root")
    assert client.delete(f"{PLACE}/acme/demo", headers=admin).status_code == 204
    assert client.get(f"/api/v1/runs/{run.id}", headers=admin).status_code == 404
    assert client.delete(f"{PLACE}/acme/demo", headers=admin).status_code == 404
    with instance.database.read() as tx:
        deeds = [(deed.what, deed.about) for deed in audit.page(tx)]
    assert deeds == [("repository.delete", {"repository": "acme/demo"})]


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_nothing_is_deleted_under_a_run_that_goes_on(
    instance: Instance, client: TestClient, status: RunStatus
) -> None:
    repository = instance.repository()
    instance.run(repository, status)
    place = f"{PLACE}/{repository.name}"
    answer = client.delete(place, headers=instance.bearer(Scope.ADMIN))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert client.get(place, headers=instance.bearer(Scope.READ)).status_code == 200
