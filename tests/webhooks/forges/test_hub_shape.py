"""Pushes and pull requests in the shape that GitHub, Gitea and Forgejo share."""

from __future__ import annotations

import pytest

from pipelines.events import PullRequest, Push, Tag, Trust, trust_of
from tests.webhooks.samples import NEW, OLD, ZERO, a_pull, a_push, encoded, form, headers_for
from webhooks.errors import PayloadError
from webhooks.forges.base import Events, Ignored, Parsed
from webhooks.forges.registry import all_forges

FORGES = all_forges()
NAMES = ["github", "gitea", "forgejo"]

pytestmark = pytest.mark.parametrize("forge", NAMES)


def parse(forge: str, document: object, event: str = "push") -> Parsed:
    body = encoded(document)
    return FORGES[forge].parse(headers_for(forge, body, event=event), body)


def test_push_of_a_branch(forge: str) -> None:
    expected = Push(branch="main", commit=NEW, before=OLD, message="Fix the thing", author="Ada")
    assert parse(forge, a_push()) == Events((expected,))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"before": ZERO}, {"before": None}),
        ({"before": None}, {"before": None}),
        ({"before": "0" * 64, "after": "a" * 64}, {"before": None, "commit": "a" * 64}),
        ({"forced": True}, {"forced": True}),
        ({"forced": "yes"}, {"forced": False}),
        ({"ref": "refs/heads/a/$(id)"}, {"branch": "a/$(id)"}),
        (
            {"head_commit": None, "commits": [{"id": OLD, "message": "old"}, {"id": NEW}]},
            {"message": "", "author": "ada"},
        ),
        (
            {"head_commit": None, "commits": [{"id": NEW, "message": "new"}, {"id": OLD}]},
            {"message": "new", "author": "ada"},
        ),
        ({"head_commit": None, "commits": [None, 7]}, {"message": "", "author": "ada"}),
        ({"head_commit": None, "commits": None}, {"message": "", "author": "ada"}),
        ({"head_commit": 7, "pusher": {"login": "grace"}}, {"message": "", "author": "grace"}),
        ({"head_commit": None, "pusher": 7}, {"message": "", "author": ""}),
        (
            {"head_commit": {"message": "a\x00\ud800", "author": {"name": "x" * 999}}},
            {"message": "a\ufffd\ufffd", "author": "x" * 254 + "…"},
        ),
        ({"head_commit": {"message": "m" * 5000}}, {"message": "m" * 4095 + "…", "author": "ada"}),
    ],
)
def test_details_of_a_push(
    forge: str, changed: dict[str, object], expected: dict[str, object]
) -> None:
    parsed = parse(forge, a_push(**changed))
    assert isinstance(parsed, Events)
    (event,) = parsed.events
    assert {name: getattr(event, name) for name in expected} == expected


def test_push_of_a_tag(forge: str) -> None:
    parsed = parse(forge, a_push(ref="refs/tags/v1.0", before=ZERO))
    tag = Tag(tag="v1.0", commit=NEW, message="Fix the thing", author="Ada")
    assert parsed == Events((tag,))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"after": ZERO}, "deletion of refs/heads/main starts no run"),
        ({"ref": "refs/tags/v1", "after": ZERO}, "deletion of refs/tags/v1 starts no run"),
        (
            {"ref": "refs/notes/commits"},
            "push of refs/notes/commits starts no run: it is no branch and no tag",
        ),
        (
            {"head_commit": {"message": "Typo\n\n[CI SKIP]"}},
            "push of refs/heads/main: its head commit asks to skip CI",
        ),
        (
            {"head_commit": {"message": "x" * 9000 + "[no ci]"}},
            "push of refs/heads/main: its head commit asks to skip CI",
        ),
    ],
)
def test_pushes_that_start_nothing(forge: str, changed: dict[str, object], reason: str) -> None:
    assert parse(forge, a_push(**changed)) == Ignored(reason)


def test_a_tag_is_not_skipped(forge: str) -> None:
    pushed = a_push(ref="refs/tags/v1", head_commit={"message": "[skip ci]"})
    assert isinstance(parse(forge, pushed), Events)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"ref": "refs/heads/-x"}, "hostile-ref"),
        ({"ref": "refs/heads/a\nb"}, "hostile-ref"),
        ({"ref": "main"}, "hostile-ref"),
        ({"ref": None}, "hostile-ref"),
        ({"ref": "refs/heads/../x", "after": ZERO}, "hostile-ref"),
        ({"after": "HEAD"}, "payload"),
        ({"after": "--output=x"}, "payload"),
        ({"after": None}, "payload"),
        ({"before": "x"}, "payload"),
        ({"before": 7}, "payload"),
    ],
)
def test_hostile_pushes(forge: str, changed: dict[str, object], code: str) -> None:
    with pytest.raises(PayloadError) as error:
        parse(forge, a_push(**changed))
    assert error.value.code == code


def pull(forge: str, action: str = "opened", **changed: object) -> PullRequest:
    parsed = parse(forge, a_pull(action, **changed), "pull_request")
    assert isinstance(parsed, Events)
    (event,) = parsed.events
    assert isinstance(event, PullRequest)
    return event


def test_pull_request(forge: str) -> None:
    assert pull(forge) == PullRequest(
        number=7,
        action="opened",
        branch="main",
        source_branch="topic",
        commit=NEW,
        ref="refs/pull/7/head",
        base=OLD,
        fork=False,
        title="Better",
        author="ada",
    )


@pytest.mark.parametrize("action", ["opened", "reopened", "ready_for_review"])
def test_actions_that_start_a_run(forge: str, action: str) -> None:
    assert pull(forge, action).action == action


def test_new_commits_are_called_the_same_for_every_forge(forge: str) -> None:
    told = "synchronize" if forge == "github" else "synchronized"
    assert pull(forge, told).action == "synchronize"


@pytest.mark.parametrize(
    "action", ["closed", "labeled", "label_updated", "assigned", "edited", "review_requested", ""]
)
def test_actions_that_start_nothing(forge: str, action: str) -> None:
    parsed = parse(forge, a_pull(action), "pull_request")
    assert isinstance(parsed, Ignored)
    assert parsed.reason == " ".join(f"pull_request {action} starts no run".split())


@pytest.mark.parametrize(
    ("changes", "starts"),
    [
        ({"base": {"ref": {"from": "old"}}}, True),
        ({"ref": {"from": "old"}}, True),
        ({"title": {"from": "old"}}, False),
        ({}, False),
        (None, False),
    ],
)
def test_an_edit_counts_if_it_changed_the_base(forge: str, changes: object, starts: bool) -> None:
    document = {**a_pull("edited"), "changes": changes}
    assert isinstance(parse(forge, document, "pull_request"), Events) is starts


@pytest.mark.parametrize(
    ("head", "base", "fork"),
    [
        ({"id": 1}, {"id": 1}, False),
        ({"id": 2}, {"id": 1}, True),
        ({"id": 1, "full_name": "octo/demo"}, {"id": 2, "full_name": "octo/demo"}, True),
        (None, {"id": 1}, True),
        ({}, {}, True),
        ({"id": "1"}, {"id": "1"}, True),
        ({"id": 1}, None, True),
    ],
)
def test_forks_are_told_by_id(forge: str, head: object, base: object, fork: bool) -> None:
    event = pull(
        forge,
        head={"ref": "topic", "sha": NEW, "repo": head},
        base={"ref": "main", "sha": OLD, "repo": base},
    )
    assert event.fork is fork
    assert trust_of(event) is (Trust.UNTRUSTED if fork else Trust.TRUSTED)


def test_drafts_run(forge: str) -> None:
    assert pull(forge, draft=True).draft


def test_hostile_titles_are_cleaned(forge: str) -> None:
    event = pull(forge, title="\ud800" + "t" * 999, user={"login": "a\x00"})
    assert event.title == "\ufffd" + "t" * 253 + "…"
    assert event.author == "a\ufffd"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"number": 10**30}, "payload"),
        ({"number": "7"}, "payload"),
        ({"number": True}, "payload"),
        ({"head": {"ref": "--upload-pack=x", "sha": NEW}}, "hostile-ref"),
        ({"head": {"ref": "topic", "sha": "HEAD"}}, "payload"),
        ({"head": None}, "hostile-ref"),
        ({"base": {"ref": "a b", "sha": OLD}}, "hostile-ref"),
        ({"base": {"ref": "main", "sha": None}}, "payload"),
    ],
)
def test_hostile_pull_requests(forge: str, changed: dict[str, object], code: str) -> None:
    with pytest.raises(PayloadError) as error:
        parse(forge, a_pull("opened", **changed), "pull_request")
    assert error.value.code == code


def test_a_pull_request_that_is_none(forge: str) -> None:
    with pytest.raises(PayloadError):
        parse(forge, {"action": "opened", "pull_request": [1]}, "pull_request")


@pytest.mark.parametrize(
    ("event", "document", "reason"),
    [
        ("ping", {"zen": "x"}, "ping"),
        ("create", {"ref": "v1", "ref_type": "tag"}, "create (tag) starts no run"),
        ("delete", {"ref": "v1", "ref_type": "tag"}, "delete (tag) starts no run"),
        ("issue_comment", {"action": "created"}, "issue_comment (created) starts no run"),
        ("status", {}, "status starts no run"),
        ("merge_group", {"action": ["x"]}, "merge_group starts no run"),
        ("odd\x1b[2J", {"action": "a\x00b\nc"}, "odd[2J (a\ufffdb c) starts no run"),
    ],
)
def test_all_else_is_ignored_by_name(
    forge: str, event: str, document: dict[str, object], reason: str
) -> None:
    assert parse(forge, document, event) == Ignored(reason)


def test_a_delivery_must_say_its_event(forge: str) -> None:
    with pytest.raises(PayloadError, match="event"):
        FORGES[forge].parse({}, encoded(a_push()))


def test_forms_say_the_same(forge: str) -> None:
    body = form(a_push())
    headers = headers_for(forge, body, content_type="application/x-www-form-urlencoded")
    assert FORGES[forge].parse(headers, body) == parse(forge, a_push())


def test_a_secret_in_the_body_goes_nowhere(forge: str) -> None:
    parsed = parse(forge, a_push(secret="hunter2"))
    assert "hunter2" not in repr(parsed)
    ignored = parse(forge, {"secret": "hunter2", "action": "x"}, "issues")
    assert "hunter2" not in repr(ignored)
