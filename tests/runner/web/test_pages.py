from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from pipelines.events import PullRequest, Tag
from pipelines.states import Outcome, RunStatus, State
from runner.database import commands
from runner.database.attempts import Attempt
from runner.database.words import CommandKind, Visibility
from runner.tokens import Scope
from runner.web.pages import ON_HOME
from tests.support.seeds import COMMIT, NOW, Instance, a_finally_step, a_step

ORIGIN = {"Origin": "http://testserver"}


def log_in(instance: Instance, client: TestClient, scope: Scope = Scope.WRITE) -> None:
    client.post("/login", data={"token": instance.token(scope)}, headers=ORIGIN)


def buttons(page: str) -> list[str]:
    return re.findall(r"<button[^>]*>(?!Log out)([^<]+)</button>", page)


def test_home_lists_the_newest_runs(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    run = instance.run(repository, RunStatus.FAILURE, message="Round up\n\nand more")
    page = client.get("/").text
    assert f'<a class="title" href="/runs/{run.id}">Round up</a>' in page
    assert "Failed in 8 s" in page
    assert "#1" in page
    assert COMMIT[:8] in page
    assert "Runs of acme/demo" in client.get("/?repository=acme/demo").text
    assert client.get("/?repository=no/such").status_code == 404
    assert client.get("/?colour=red").status_code == 400


def test_home_goes_on_with_older_runs(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    made = [instance.run(repository, message=f"run {n}") for n in range(ON_HOME + 1)]
    page = client.get("/?repository=acme/demo").text
    found = re.search(r'<p class="more"><a href="([^"]+)">', page)
    assert found is not None
    older = found[1].replace("&amp;", "&")
    assert older == f"/?repository=acme%2Fdemo&before={made[1].id}"
    page = client.get(older).text
    assert ">run 0<" in page
    assert ">run 1<" not in page
    assert 'class="more"' not in page


def test_home_without_runs_says_what_to_do(instance: Instance, client: TestClient) -> None:
    assert "nothing here that everybody may see" in client.get("/").text
    log_in(instance, client)
    assert "There are no runs here yet" in client.get("/").text


def test_a_run_reads_without_javascript(instance: Instance, client: TestClient) -> None:
    digest, files = instance.snapshot({"report.xml": b"x" * 3000})
    test = a_step(
        "test",
        State.FAILURE,
        attempt=2,
        needs=("lint",),
        outputs={"passed": "213"},
        artifacts=files,
        snapshot=digest,
        warnings=("`a` was changed twice",),
    )
    steps = [a_step("lint"), test, a_step("ship", State.BLOCKED, reason="`test` failed")]
    repository = instance.repository(
        visibility=Visibility.PUBLIC, forge="github", web_url="https://github.com/acme/demo"
    )
    run = instance.run(
        repository,
        RunStatus.FAILURE,
        steps=[*steps, a_finally_step("tell")],
        attempt=3,
        warnings=("a path was changed by two steps",),
    )
    instance.log(run, "test", "1 failed", number=2)
    instance.attempt(
        run, Attempt(run_id="", step="test", number=1, outcome=Outcome.ERROR, reason="node lost")
    )
    page = client.get(f"/runs/{run.id}").text
    for text in (
        "<h1>Fix it</h1>",
        "Failed</li>",
        f'href="https://github.com/acme/demo/commit/{COMMIT}"',
        '<span class="quiet-label">attempt</span> 3',
        "a path was changed by two steps",
        '<details class="step failure" id="step-1" data-part="step-1" open>',
        '<details class="step success" id="step-0" data-part="step-0">',
        "<dt>passed</dt><dd>213</dd>",
        ">report.xml</a>",
        "2.9 KiB",
        "#1 error: node lost",
        "\N{MULTIPLICATION SIGN}2",
        "`test` failed",
        "`a` was changed twice",
        ">1 failed</span>",
        'href="#step-1-L1"',
        "It wrote nothing.",
        ">finally</text>",
    ):
        assert text in page
    assert buttons(page) == []
    assert "data-stream" not in page


def test_a_run_that_could_not_begin_lists_its_mistakes(
    instance: Instance, client: TestClient
) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    why = (".ci.yaml:3:1: `run` is missing", ".ci.yaml:9:2: no such step")
    run = instance.run(repository, RunStatus.ERROR, reason=why[0], warnings=why, started_at=None)
    page = client.get(f"/runs/{run.id}").text
    assert "This run could not begin" in page
    assert all(f"<li>{text}</li>" in page for text in why)
    log_in(instance, client)
    assert buttons(client.get(f"/runs/{run.id}").text) == ["Rerun all"]


def test_a_run_that_goes_on_is_live(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    queued = instance.run(repository, RunStatus.QUEUED)
    assert "being read and planned" in client.get(f"/runs/{queued.id}").text
    running = instance.run(repository, RunStatus.RUNNING, steps=[a_step("a", State.RUNNING)])
    page = client.get(f"/runs/{running.id}").text
    assert f'data-stream="/api/v1/runs/{running.id}/stream"' in page
    assert f'data-since="{NOW + 1}"' in page
    assert "data-follow" in page
    stream = client.get(f"/api/v1/runs/{instance.run(repository).id}/stream").text
    assert "id: " in stream


def test_the_page_and_the_stream_agree_on_the_version(
    instance: Instance, client: TestClient
) -> None:
    run = instance.run(instance.repository(visibility=Visibility.PUBLIC), steps=[a_step("a")])
    page = client.get(f"/runs/{run.id}").text
    stream = client.get(f"/api/v1/runs/{run.id}/stream").text
    found = re.search(r'data-version="([0-9a-f]+)"', page)
    assert found is not None
    assert f"id: {found[1]}\n" in stream


def test_other_things_worth_knowing(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC, web_url="javascript:alert(1)")
    pull = PullRequest(
        number=7,
        action="opened",
        branch="main",
        source_branch="x",
        commit=COMMIT,
        ref="refs/pull/7",
    )
    run = instance.run(repository, RunStatus.CANCELLED, event=pull, reason="cancelled by ada")
    page = client.get(f"/runs/{run.id}").text
    assert "pull request 7" in page
    assert "untrusted" in page
    assert "cancelled by ada" in page
    assert "No message" in page
    assert "javascript:" not in page


@pytest.mark.parametrize(
    ("status", "state", "shown"),
    [
        (RunStatus.SUCCESS, State.SUCCESS, ["Rerun all"]),
        (RunStatus.FAILURE, State.FAILURE, ["Rerun failed", "Rerun all"]),
        (RunStatus.RUNNING, State.RUNNING, ["Cancel"]),
    ],
)
def test_buttons_are_for_those_who_may(
    instance: Instance,
    client: TestClient,
    status: RunStatus,
    state: State,
    shown: list[str],
) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    run = instance.run(repository, status, steps=[a_step("a", state)])
    path = f"/runs/{run.id}"
    assert buttons(client.get(path).text) == []
    reader = instance.bearer(Scope.READ)
    assert buttons(client.get(path, headers=reader).text) == []
    log_in(instance, client)
    assert buttons(client.get(path).text) == shown


def test_a_run_that_cannot_be_run_again_any_more_says_so_instead(
    instance: Instance, client: TestClient
) -> None:
    event = Tag(tag="v1", commit=COMMIT)
    repository = instance.repository()
    failed = [a_step("a", State.FAILURE)]
    run = instance.run(repository, RunStatus.FAILURE, steps=failed, event=event, source="old")
    instance.clock.advance(30 * 86_400 + NOW + 9 - instance.clock.now())
    log_in(instance, client)
    page = client.get(f"/runs/{run.id}").text
    assert buttons(page) == ["Rerun failed", "Rerun all"]
    assert "be run again" not in page
    instance.clock.advance(1)
    page = client.get(f"/runs/{run.id}").text
    assert buttons(page) == []
    told = (
        "The run has ended too long ago: what its steps began with is removed, so it cannot be "
        "run again. Push the commit again to have a new run of it."
    )
    assert told in page
    answer = client.post(f"/runs/{run.id}/rerun", data={"mode": "all"}, headers=ORIGIN)
    assert (answer.status_code, "Push the commit again" in answer.text) == (410, False)


def test_a_button_asks_and_leads_back(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository(), RunStatus.FAILURE, steps=[a_step("a", State.FAILURE)])
    path = f"/runs/{run.id}"
    log_in(instance, client)
    answer = client.post(f"{path}/rerun", data={"mode": "failed"}, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    with instance.database.read() as tx:
        (command,) = commands.pending(tx, run.id)
    assert command.payload == {"mode": "failed"}
    page = client.get(path).text
    assert "asked for another round" in page
    assert "data-stream" in page
    assert buttons(page) == []
    again = client.post(f"{path}/rerun", data={"mode": "all"}, headers=ORIGIN)
    assert again.status_code == 409


def test_a_run_is_cancelled_by_a_button(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository(), RunStatus.RUNNING)
    log_in(instance, client)
    assert client.post(f"/runs/{run.id}/cancel", headers=ORIGIN).status_code == 303
    with instance.database.read() as tx:
        assert [c.kind for c in commands.pending(tx, run.id)] == [CommandKind.CANCEL]
    page = client.get(f"/runs/{run.id}").text
    assert "asked for the end of this run" in page
    assert buttons(page) == []


@pytest.mark.parametrize(
    ("path", "body", "kind", "status"),
    [
        ("rerun", b"mode=some", "application/x-www-form-urlencoded", 422),
        ("rerun", b"", "application/x-www-form-urlencoded", 422),
        ("rerun", b"\xff", "application/x-www-form-urlencoded", 422),
        ("rerun", b"&".join([b"a=b"] * 20), "application/x-www-form-urlencoded", 422),
        ("rerun", b'{"mode": "all"}', "application/json", 415),
    ],
)
def test_a_form_that_is_none(
    instance: Instance, client: TestClient, path: str, body: bytes, kind: str, status: int
) -> None:
    run = instance.run(instance.repository())
    log_in(instance, client)
    headers = {**ORIGIN, "Content-Type": kind, "Accept": "text/html"}
    answer = client.post(f"/runs/{run.id}/{path}", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert instance.bell.rung == 0


def test_a_button_of_another_site_does_nothing(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository())
    log_in(instance, client)
    headers = {"Origin": "https://evil.example"}
    answer = client.post(f"/runs/{run.id}/rerun", data={"mode": "all"}, headers=headers)
    assert answer.status_code == 403
    assert instance.bell.rung == 0


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/runs/abc?x=1", "/runs/abc?x=1"),
        ("/", "/"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("/\t/evil.example", "/"),
    ],
)
def test_logging_in_leads_to_our_own_pages_only(
    instance: Instance, client: TestClient, wanted: str, led_to: str
) -> None:
    form = {"token": instance.token(Scope.READ), "next": wanted}
    answer = client.post("/login", data=form, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, led_to)


def test_a_wrong_token_is_told_so_and_not_shown(client: TestClient) -> None:
    answer = client.post("/login", data={"token": "hkl_wrong", "next": "/x"}, headers=ORIGIN)
    assert answer.status_code == 401
    assert "not known, has expired or was revoked" in answer.text
    assert "hkl_wrong" not in answer.text
    assert 'name="next" value="/x"' in answer.text
    assert "set-cookie" not in answer.headers


def test_the_form_keeps_where_one_came_from(client: TestClient) -> None:
    assert 'value="/runs/abc"' in client.get("/login?next=/runs/abc").text
    assert 'value="/"' in client.get("/login?next=//evil").text


def test_more_lines_for_a_log_that_grows(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    run = instance.run(repository, RunStatus.RUNNING, steps=[a_step("a/b", State.RUNNING)])
    instance.log(run, "a/b", "one", "\x1b[1mtwo", "<three>", at=NOW + 2)
    path = f"/runs/{run.id}/steps/a%2Fb/lines"
    text = client.get(f"{path}?attempt=1&from=2").text
    assert re.findall(r'id="(step-0-L\d)"', text) == ["step-0-L2", "step-0-L3"]
    assert '<span class="bold">two</span>' in text
    assert "&lt;three&gt;" in text
    assert ">0:01</time>" in text
    assert client.get(f"{path}?attempt=1&from=4").text.strip() == ""
    assert client.get(f"{path}?attempt=2").status_code == 404
    assert client.get(path).status_code == 400
