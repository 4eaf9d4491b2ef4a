"""From a commit in a real repository to a plan and a snapshot, or to a named reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import planning
from pipelines.documents import Limits as FileLimits
from pipelines.events import Event, Manual, PullRequest, Push, Tag
from runner.objects.base import ObjectStoreError
from runner.objects.memory import MemoryStore
from runner.preparing import Broken, FixedPreparer, Later, NoRun, Prepared, Task
from runner.preparing_git import GitPreparer, Remote
from runner.workspace.snapshots import Snapshots
from tests.support.repositories import BareRepository, submodule, symlink

GOOD = "on: {push: {branches: main}, pull_request: {}, tag: {}}\nsteps: {a: {run: x}}\n"


class Desk:
    """A preparer over one real repository."""

    def __init__(self, folder: Path, *, limit: int = 10_000) -> None:
        self.origin = BareRepository(folder / "origin.git")
        self.objects = MemoryStore()
        self.snapshots = Snapshots(self.objects)
        self.url = self.origin.url
        self.previous: str | None = None
        self.preparer = GitPreparer(
            mirrors=folder / "mirrors",
            snapshots=self.snapshots,
            remote_of=lambda _: Remote(self.url),
            previous_of=lambda _: self.previous,
            limits=planning.Limits(),
            file_limits=FileLimits(size=limit),
        )

    def prepare(self, event: Event) -> object:
        return self.preparer.prepare(Task(run="r", repository=1, event=event))

    def prepared(self, event: Event) -> Prepared:
        found = self.prepare(event)
        assert isinstance(found, Prepared), found
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_push_is_planned_on_its_source(desk: Desk) -> None:
    commit = desk.origin.commit({".ci.yaml": GOOD, "src/a.py": "1\n"}, message="Begin")
    found = desk.prepared(Push(branch="main", commit=commit))
    assert list(found.plan.steps) == ["a"]
    assert sorted(desk.snapshots.load(found.source).entries) == [".ci.yaml", "src", "src/a.py"]
    assert (found.message, found.changed, found.warnings) == ("Begin", None, ())
    assert found.plan.event.message == "Begin"


def test_the_next_push_stores_only_what_changed(desk: Desk) -> None:
    files = {".ci.yaml": GOOD, **{f"f{n}": f"{n}\n" * 100 for n in range(20)}}
    first = desk.prepared(Push(branch="main", commit=desk.origin.commit(files)))
    desk.previous = first.source
    packs = {info.key for info in desk.objects.list("packs/")}
    before = desk.origin.tip()
    commit = desk.origin.commit({"f3": "other\n"})
    second = desk.prepared(Push(branch="main", commit=commit, before=before))
    assert second.changed == ("f3",)
    fresh = [info for info in desk.objects.list("packs/") if info.key not in packs]
    assert sum(info.size for info in fresh) < 200


def test_a_previous_source_that_was_swept_is_no_loss(desk: Desk) -> None:
    desk.previous = "0" * 64
    commit = desk.origin.commit({".ci.yaml": GOOD})
    assert desk.prepared(Push(branch="main", commit=commit)).source


def test_a_tag_object_is_peeled(desk: Desk) -> None:
    commit = desk.origin.commit({".ci.yaml": GOOD})
    tag = desk.origin.tag("v1", commit, "The first")
    found = desk.prepared(Tag(tag="v1", commit=tag))
    assert (found.commit, found.plan.event.commit) == (commit, commit)


def test_a_pull_request_is_compared_with_its_base(desk: Desk) -> None:
    base = desk.origin.commit({".ci.yaml": GOOD, "a": "1"})
    head = desk.origin.commit({"b": "2"}, branch="topic", parent=base)
    desk.origin.point("refs/pull/1/head", head)
    pull = PullRequest(
        number=1,
        action="opened",
        branch="main",
        source_branch="topic",
        commit=head,
        ref="refs/pull/1/head",
        base=base,
        fork=False,
    )
    assert desk.prepared(pull).changed == ("b",)


def test_a_base_that_cannot_be_had_means_everything_may_have_changed(desk: Desk) -> None:
    head = desk.origin.commit({".ci.yaml": GOOD})
    desk.origin.point("refs/pull/1/head", head)
    pull = PullRequest(
        number=1,
        action="opened",
        branch="gone",
        source_branch="topic",
        commit=head,
        ref="refs/pull/1/head",
        base="1" * 40,
        fork=False,
    )
    assert desk.prepared(pull).changed is None


def test_a_forced_push_may_have_changed_everything(desk: Desk) -> None:
    before = desk.origin.commit({".ci.yaml": GOOD})
    commit = desk.origin.commit({"a": "1"})
    push = Push(branch="main", commit=commit, before=before, forced=True)
    assert desk.prepared(push).changed is None


def test_no_file_and_no_trigger_make_no_run(desk: Desk) -> None:
    bare = desk.origin.commit({"a": "1"})
    assert desk.prepare(Push(branch="main", commit=bare)) == NoRun(
        f"there is no .ci.yaml at {bare[:12]}"
    )
    other = desk.origin.commit({".ci.yaml": GOOD}, branch="topic")
    assert desk.prepare(Push(branch="topic", commit=other)) == NoRun(
        "`on.push.branches` does not match topic"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("steps: {a: {rn: x}}\n", ".ci.yaml:1:13: unknown key `rn` (did you mean `run`?)"),
        ("x" * 10_001, "10001 bytes"),
        (symlink("/etc/passwd"), "is no regular file (mode 120000)"),
        (submodule("1" * 40), "is no regular file (mode 160000)"),
    ],
    ids=["mistakes", "too large", "symlink", "submodule"],
)
def test_a_file_that_cannot_be_used_breaks_the_run(desk: Desk, content: str, reason: str) -> None:
    commit = desk.origin.commit({".ci.yaml": content})
    found = desk.prepare(Push(branch="main", commit=commit))
    assert isinstance(found, Broken)
    assert reason in found.reason
    assert found.details


def test_a_commit_that_is_gone_and_a_remote_that_is_away(desk: Desk, tmp_path: Path) -> None:
    desk.origin.commit({".ci.yaml": GOOD})
    gone = desk.prepare(Push(branch="main", commit="1" * 40))
    assert isinstance(gone, Broken)
    assert "is not in the history of refs/heads/main" in gone.reason
    desk.url = "http://127.0.0.1:9/nowhere.git"
    away = desk.prepare(Manual(branch="main", commit="1" * 40))
    assert isinstance(away, Broken)


def test_links_that_leave_are_left_out_with_a_warning(desk: Desk) -> None:
    commit = desk.origin.commit({".ci.yaml": GOOD, "out": symlink("/etc/passwd")})
    found = desk.prepared(Push(branch="main", commit=commit))
    assert any("out" in warning for warning in found.warnings)


def test_a_store_that_is_away_is_waited_for(desk: Desk) -> None:
    class Away(MemoryStore):
        def put(self, key: str, data: bytes) -> None:
            message = "the disk is full"
            raise ObjectStoreError(message)

        def create(self, key: str, data: bytes) -> bool:
            message = "the disk is full"
            raise ObjectStoreError(message)

    commit = desk.origin.commit({".ci.yaml": GOOD, "a": "1"})
    preparer = GitPreparer(
        mirrors=desk.preparer.mirrors,
        snapshots=Snapshots(Away()),
        remote_of=lambda _: Remote(desk.url),
        previous_of=lambda _: None,
        limits=planning.Limits(),
        file_limits=FileLimits(),
    )
    found = preparer.prepare(Task(run="r", repository=1, event=Push(branch="main", commit=commit)))
    assert found == Later("the disk is full")


def test_a_fixed_preparer_plans_what_it_has() -> None:
    from pipelines import loader

    text = "steps: {a: {run: x}, b: {run: y}}\n"
    event = Push(branch="any", commit="c" * 40, message="m", author="a")
    task = Task(run="r", repository=1, event=event)
    config = loader.load(text)
    fixed = FixedPreparer(config=config, text=text, source="s", limits=planning.Limits())
    found = fixed.prepare(task)
    assert isinstance(found, Prepared)
    assert (found.source, found.commit, found.message) == ("s", "c" * 40, "m")
    few = FixedPreparer(config=config, text=text, source="s", limits=planning.Limits(steps=1))
    assert few.prepare(task) == Broken("the plan has 2 steps or more, at most 1 are allowed")
