"""Which events make a run, and in which words the others are refused."""

from __future__ import annotations

import pytest

from pipelines import loader
from pipelines.events import Event, Manual, PullRequest, Push, Tag
from pipelines.triggers import refusal

MAIN = Push(branch="main", commit="c")
FEATURE = Push(branch="feature/x", commit="c")
TAG = Tag(tag="v1.2", commit="c")
MANUAL = Manual(branch="feature/x", commit="c")


def pull(branch: str) -> PullRequest:
    return PullRequest(
        number=1, action="opened", branch=branch, source_branch="x", commit="c", ref="r"
    )


CHANGED = ("src/a.py", "README.md")


@pytest.mark.parametrize(
    ("on", "event", "changed", "refused"),
    [
        ("push", MAIN, CHANGED, None),
        ("push", TAG, CHANGED, "`on` does not name tag"),
        ("push", pull("main"), CHANGED, "`on` does not name pull_request"),
        ("[tag, pull_request]", MAIN, CHANGED, "`on` does not name push"),
        ("[tag, pull_request]", TAG, CHANGED, None),
        ("[tag, pull_request]", pull("main"), CHANGED, None),
        ("tag", MANUAL, CHANGED, None),
        ("{push: {branches: main}}", MAIN, CHANGED, None),
        (
            "{push: {branches: main}}",
            FEATURE,
            CHANGED,
            "`on.push.branches` does not match feature/x",
        ),
        ("{push: {branches: ['**', '!feature/**']}}", MAIN, CHANGED, None),
        (
            "{push: {branches: ['**', '!feature/**']}}",
            FEATURE,
            CHANGED,
            "`on.push.branches` does not match feature/x",
        ),
        ("{push: {paths: 'src/**'}}", MAIN, CHANGED, None),
        (
            "{push: {paths: 'docs/**'}}",
            MAIN,
            CHANGED,
            "`on.push.paths` matches none of the 2 changed files",
        ),
        (
            "{push: {paths: 'docs/**'}}",
            MAIN,
            (),
            "`on.push.paths` matches none of the 0 changed files",
        ),
        ("{push: {paths: 'docs/**'}}", MAIN, None, None),
        (
            "{push: {branches: main, paths: 'docs/**'}}",
            FEATURE,
            CHANGED,
            "`on.push.branches` does not match feature/x",
        ),
        ("{tag: {tags: 'v*'}}", TAG, None, None),
        ("{tag: {tags: 'w*'}}", TAG, None, "`on.tag.tags` does not match v1.2"),
        ("{pull_request: {branches: main}}", pull("main"), CHANGED, None),
        (
            "{pull_request: {branches: main}}",
            pull("dev"),
            CHANGED,
            "`on.pull_request.branches` does not match dev",
        ),
        ("{pull_request: {paths: ['**', '!**.md']}}", pull("main"), CHANGED, None),
        (
            "{pull_request: {paths: '!**.md'}}",
            pull("main"),
            ("README.md",),
            "`on.pull_request.paths` matches none of the 1 changed files",
        ),
    ],
)
def test_on(on: str, event: Event, changed: tuple[str, ...] | None, refused: str | None) -> None:
    config = loader.load(f"on: {on}\nsteps: {{a: {{run: x}}}}")
    assert refusal(config.on, event, changed) == refused


@pytest.mark.parametrize(
    ("event", "makes_a_run"),
    [(MAIN, True), (FEATURE, True), (pull("main"), True), (MANUAL, True), (TAG, False)],
    ids=["push", "push elsewhere", "pull request", "manual", "tag"],
)
def test_without_on_pushes_and_pull_requests_make_runs(event: Event, *, makes_a_run: bool) -> None:
    config = loader.load("steps: {a: {run: x}}")
    assert (refusal(config.on, event, None) is None) is makes_a_run
