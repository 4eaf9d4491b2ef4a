"""Statuses leave the outbox for the forge: in order, again and again, until taken or refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from pipelines.states import RunStatus
from runner.database import outbox
from runner.database.connection import Database
from runner.git import Mirror
from runner.git_errors import CommitGone, FetchFailed, GitError, PushFailed
from runner.reporter import PATIENCE, Destination, Reporter
from tests.support.engines import COMMIT, Bench
from tests.support.forge import FakeForge, HangUp, Reply, broken, rate_limited
from tests.support.repositories import BareRepository
from webhooks.forges.base import Target
from webhooks.forges.registry import all_forges


@dataclass
class Post:
    """An outbox with one run, and a reporter to a forge."""

    bench: Bench
    forge: FakeForge
    reporter: Reporter = field(init=False)

    def __post_init__(self) -> None:
        target = Target(self.forge.url, "acme/demo", "t0ken")
        self.run = self.bench.push()
        self.reporter = Reporter(
            self.bench.database,
            httpx2.Client(timeout=5.0),
            self.bench.clock,
            lambda _: Destination(all_forges()["github"], target, _no_mirror),
            jitter=lambda: 0.5,
        )

    def rows(self) -> list[outbox.OutboxRow]:
        with self.bench.database.read() as tx:
            return outbox.of(tx, self.run)


def _no_mirror() -> Mirror:
    message = "GitHub has no notes"
    raise AssertionError(message)


@pytest.fixture
def post(database: Database, tmp_path: Path) -> Iterator[Post]:
    with FakeForge() as forge:
        made = Post(Bench(database, tmp_path, "steps: {a: {run: x}}\n"), forge)
        yield made
        made.reporter.client.close()


def test_what_is_held_stays_until_the_run_has_a_plan(post: Post) -> None:
    assert post.reporter.turn() == 0
    post.bench.settle()
    assert post.reporter.turn() == 1
    assert post.forge.states(COMMIT) == ["success"]
    assert post.reporter.turn() == 0


def test_a_forge_that_fails_is_asked_again_with_growing_pauses(post: Post) -> None:
    post.bench.settle()
    post.forge.fault(broken(), times=3)
    tried = []
    for second in range(20):
        if post.reporter.turn():
            tried.append(second)
        post.bench.clock.advance(1)
    assert tried == [0, 1, 3, 7]
    assert post.forge.states(COMMIT) == ["success"]


def test_a_forge_that_asks_for_patience_gets_it(post: Post) -> None:
    post.bench.settle()
    post.forge.fault(rate_limited(30))
    assert post.reporter.turn() == 1
    post.bench.clock.advance(29)
    assert post.reporter.turn() == 0
    post.bench.clock.advance(2)
    assert post.reporter.turn() == 1
    assert post.forge.states(COMMIT) == ["success"]


def test_a_lost_answer_means_telling_it_again(post: Post) -> None:
    post.bench.settle()
    post.forge.fault(HangUp())
    post.reporter.turn()
    post.bench.clock.advance(5)
    post.reporter.turn()
    assert post.forge.states(COMMIT) == ["success", "success"]


def test_what_a_forge_will_never_take_is_not_sent_again(post: Post) -> None:
    post.bench.settle()
    post.forge.fault(Reply(401, "Bad credentials"))
    assert post.reporter.turn() == 1
    post.bench.clock.advance(10_000)
    assert post.reporter.turn() == 0
    refused = [row.refused for row in post.rows() if row.refused]
    assert len(refused) == 1


def test_patience_ends(post: Post) -> None:
    post.bench.settle()
    post.forge.fault(broken(), times=2)
    post.reporter.turn()
    post.bench.clock.advance(PATIENCE + 1)
    post.reporter.turn()
    assert "given up after 2 tries" in str(post.rows()[-1].refused)


class ScriptedMirror:
    """A mirror whose notes go wrong as told."""

    def __init__(self, errors: list[GitError]) -> None:
        self.errors = errors
        self.notes: list[str] = []

    def add_note(self, commit: str, text: str) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.notes.append(text)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (FetchFailed("away", retryable=True), True),
        (FetchFailed("no such thing", retryable=False), False),
        (PushFailed("raced", retryable=True), True),
        (CommitGone("gone"), False),
        (GitError("strange"), True),
    ],
)
def test_notes_go_wrong_and_are_tried_again_or_not(
    post: Post, error: GitError, again: bool
) -> None:
    mirror = ScriptedMirror([error])
    post.reporter.destination_of = lambda _: Destination(
        all_forges()["git"],
        Target("", "demo", ""),
        lambda: mirror,  # type: ignore[arg-type, return-value]
    )
    post.bench.settle()
    post.reporter.turn()
    post.bench.clock.advance(5)
    post.reporter.turn()
    assert len(mirror.notes) == (1 if again else 0)


def test_a_note_is_written_into_a_real_repository(post: Post, tmp_path: Path) -> None:
    origin = BareRepository(tmp_path / "origin.git")
    commit = origin.commit({"a": "1"})
    mirror = Mirror(tmp_path / "mirror.git", origin.url)
    mirror.fetch("refs/heads/main", commit)
    post.run = post.bench.push(2, commit=commit)
    post.reporter.destination_of = lambda _: Destination(
        all_forges()["git"], Target("", "demo", ""), lambda: mirror
    )
    post.bench.settle()
    post.reporter.turn()
    assert str(RunStatus.SUCCESS) in origin.note(commit)


def test_one_that_cannot_be_sent_holds_up_no_other(post: Post) -> None:
    post.bench.settle()
    good = post.reporter.destination_of

    def unreadable(repository: int) -> Destination:
        raise LookupError(repository)

    post.reporter.destination_of = unreadable
    assert post.reporter.turn() == 1
    assert post.rows()[-1].last_error == "internal error: LookupError"
    post.reporter.destination_of = good
    post.bench.clock.advance(5)
    post.reporter.turn()
    assert post.forge.states(COMMIT) == ["success"]


def test_a_token_that_fits_no_header_is_told_to_nobody(post: Post) -> None:
    post.bench.settle()
    target = Target(post.forge.url, "acme/demo", "hunter2\nmore")
    post.reporter.destination_of = lambda _: Destination(all_forges()["github"], target, _no_mirror)
    post.reporter.turn()
    row = post.rows()[-1]
    assert "is the repository's token right?" in str(row.refused)
    assert "hunter2" not in repr(row)
