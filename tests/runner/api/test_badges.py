from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from pipelines.states import RunStatus, State
from runner.database.words import Visibility
from runner.tokens import Scope
from tests.support.seeds import Instance, a_step

PLACE = "/badges/acme/demo.svg"


def said(client: TestClient, query: str = "", headers: dict[str, str] | None = None) -> str:
    answer = client.get(f"{PLACE}?{query}", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("image/svg+xml")
    ElementTree.fromstring(answer.content)
    return str(re.findall(r"<text[^>]*>([^<]*)</text>", answer.text)[1])


def test_the_newest_run_that_ended_speaks(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    assert said(client) == "unknown"
    instance.run(repository, RunStatus.RUNNING)
    assert said(client) == "running"
    instance.run(repository, RunStatus.FAILURE)
    assert said(client) == "failure"
    instance.run(repository, RunStatus.RUNNING)
    assert said(client) == "failure"
    instance.run(repository, RunStatus.SUCCESS, branch="topic")
    assert said(client) == "failure"
    assert said(client, "branch=topic") == "success"
    assert said(client, "branch=none") == "unknown"


@pytest.mark.parametrize(
    ("state", "allowed", "word"),
    [
        (State.SUCCESS, False, "success"),
        (State.FAILURE, False, "failure"),
        (State.FAILURE, True, "warning"),
        (State.ERROR, False, "error"),
        (State.RUNNING, False, "running"),
        (State.PENDING, False, "queued"),
        (State.SKIPPED, False, "unknown"),
        (State.BLOCKED, False, "unknown"),
    ],
)
def test_a_step_has_a_badge(
    instance: Instance, client: TestClient, state: State, allowed: bool, word: str
) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    instance.run(repository, steps=[a_step("test (a=b)", state, allow_failure=allowed)])
    assert said(client, "step=test%20(a%3Db)") == word
    assert said(client, "step=other") == "unknown"


def test_a_private_one_needs_its_key(instance: Instance, client: TestClient) -> None:
    repository = instance.repository()
    instance.run(repository)
    unknown = client.get("/badges/no/such.svg").content
    assert client.get(PLACE).content == unknown
    assert client.get(f"{PLACE}?key=wrong").content == unknown
    assert client.get(f"{PLACE}?key=%F0%9F%98%80").content == unknown
    assert client.get(f"{PLACE}?branch=main").content == unknown
    assert said(client, f"key={repository.badge_key}") == "success"
    assert said(client, "", instance.bearer(Scope.READ)) == "success"
    assert said(client, "", instance.bearer(Scope.READ, instance.repository("b"))) == "unknown"


def test_no_proxy_keeps_it(instance: Instance, client: TestClient) -> None:
    instance.run(instance.repository(visibility=Visibility.PUBLIC))
    answer = client.get(PLACE)
    assert answer.headers["cache-control"] == "no-cache, no-store, max-age=0, must-revalidate"
    assert answer.headers["expires"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    tag = answer.headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}'):
        again = client.get(PLACE, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    assert client.get(PLACE, headers={"If-None-Match": '"x"'}).status_code == 200


def test_hostile_names_are_only_text(client: TestClient) -> None:
    answer = client.get(
        "/badges/x.svg", params={"step": '"><script>alert(1)</script>\x00\ud800'[:-1]}
    )
    assert answer.status_code == 200
    assert "<script" not in answer.text
    ElementTree.fromstring(answer.content)
