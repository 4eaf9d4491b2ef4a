"""Whatever others write is shown as text: on pages, in the graph, in badges."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from pipelines.events import Push
from pipelines.states import Outcome, RunStatus, State
from runner.database import commands
from runner.database.attempts import Attempt
from runner.database.words import CommandKind, Visibility
from runner.executors.base import Artifact
from runner.tokens import Scope
from tests.support.seeds import COMMIT, NOW, Instance, a_step

ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</title></svg><script>alert(1)</script>",
    "{{ 7919*7907 }}{% raw %}",
    "javascript:alert(1)",
    "\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07",
    "&lt;script&gt;",
    "\u202e\u2066reversed",
]
ALLOWED = {
    "html head meta title link script body header main section div p ul li dl dt dd span a h1 h2 h3",
    "form button input label details summary code time nav",
    "svg symbol g circle path use rect text title",
}
TAGS = {tag for line in ALLOWED for tag in line.split()}


class Reader(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("href", "src", "action", "data-stream", "data-follow"):
                self.addresses.append(value or "")
        if tag == "script":
            self.scripts.append(dict(attrs).get("src") or "inline")


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def harmless(text: str) -> Reader:
    reader = read(text)
    assert reader.tags <= TAGS
    assert not [name for name in reader.attributes if name.startswith("on") or name == "style"]
    assert all(address.startswith(("/", "#", "https://")) for address in reader.addresses)
    assert set(reader.scripts) <= {"/static/run.js"}
    assert "62615533" not in text
    return reader


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_text_stays_text_on_every_page(instance: Instance, client: TestClient, attack: str) -> None:
    repository = instance.repository(
        visibility=Visibility.PUBLIC, web_url="https://forge.example/acme/demo"
    )
    step = a_step(
        f"test {attack}",
        State.FAILURE,
        needs=(attack,),
        reason=attack,
        outputs={attack: attack},
        artifacts=(Artifact(path=attack, size=1, digest="x"),),
        warnings=(attack,),
        attempt=2,
    )
    others = [a_step(f"{attack} (x={attack}{number})") for number in range(3)]
    event = Push(branch=attack, commit=COMMIT, message=attack, author=attack)
    run = instance.run(
        repository, RunStatus.FAILURE, event=event, steps=[step, *others], warnings=(attack,)
    )
    broken = instance.run(
        repository, RunStatus.ERROR, event=event, warnings=(attack,), reason=attack
    )
    cancelled = instance.run(repository, RunStatus.CANCELLED, event=event, reason=attack)
    earlier = Attempt(run_id="", step=step.name, number=1, outcome=Outcome.ERROR, reason=attack)
    instance.attempt(run, earlier)
    instance.log(run, step.name, attack, number=2)
    with instance.database.write() as tx:
        commands.add(tx, broken.id, CommandKind.RERUN, {}, attack, NOW)
    headers = instance.bearer(Scope.WRITE, name=attack)
    pages = ["/", f"/runs/{run.id}", f"/runs/{broken.id}", f"/runs/{cancelled.id}"]
    for path in pages:
        answer = client.get(path, headers=headers)
        assert answer.status_code == 200
        harmless(answer.text)
        assert "alert(1)</script>" not in answer.text


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_text_stays_text_in_errors_and_forms(client: TestClient, attack: str) -> None:
    page = {"Accept": "text/html"}
    for path, parameters in (
        ("/", {"repository": attack}),
        ("/", {attack: "x"}),
        ("/", {"branch": attack}),
        ("/login", {"next": attack}),
        ("/runs/x/steps/y/lines", {"attempt": attack}),
    ):
        harmless(client.get(path, params=parameters, headers=page).text)
    for path in ("/runs/{}", "/{}", "/runs/x/steps/{}/lines?attempt=1"):
        harmless(client.get(path.format(quote(attack, safe="")), headers=page).text)


def test_the_reader_itself_notices() -> None:
    with pytest.raises(AssertionError):
        harmless('<main><img src="x" onerror="alert(1)"></main>')
    with pytest.raises(AssertionError):
        harmless('<main><a href="javascript:alert(1)">x</a></main>')
    with pytest.raises(AssertionError):
        harmless("<script>alert(1)</script>")
