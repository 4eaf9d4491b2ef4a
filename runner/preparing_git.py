"""Preparing runs from git: fetch the commit, read `.ci.yaml` there, plan it, capture the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines import loader, planning, triggers
from pipelines.documents import Limits as FileLimits
from pipelines.errors import ConfigError, Mistake, PlanError
from pipelines.events import Event, PullRequest, Push
from runner.git import Mirror
from runner.git_errors import FetchFailed, FileTooLarge, GitError, NotAFile
from runner.git_objects import CommitInfo
from runner.objects.base import ObjectStoreError
from runner.preparing import CONFIG_PATH, Broken, Later, NoRun, Preparation, Prepared, Task
from runner.replanning import known_event
from runner.workspace.capture import Captured
from runner.workspace.errors import WorkspaceError
from runner.workspace.manifest import Manifest
from runner.workspace.snapshots import Snapshots
from runner.workspace.source import capture_source


@dataclass(frozen=True)
class Remote:
    """Where a repository is fetched from."""

    url: str
    token: str | None = None
    allow_http: bool = False


@dataclass(frozen=True, kw_only=True)
class GitPreparer:
    """Prepares runs from bare mirrors of their repositories.

    `remote_of` gives a repository's address, `previous_of` the digest of the source snapshot of an
    earlier run of it, so that only what changed is read again; None if there is none.
    """

    mirrors: Path
    snapshots: Snapshots
    remote_of: Callable[[int], Remote]
    previous_of: Callable[[int], str | None]
    limits: planning.Limits
    file_limits: FileLimits

    def mirror(self, repository: int, timeout: float = 300.0) -> Mirror:
        """Return the mirror of a repository; no git command on it takes longer than `timeout`."""
        remote = self.remote_of(repository)
        return Mirror(
            self.mirrors / f"{repository}.git",
            remote.url,
            token=remote.token,
            allow_http=remote.allow_http,
            timeout=timeout,
        )

    def prepare(self, task: Task) -> Preparation:
        """Fetch the commit, read its file, plan it, and capture its source."""
        try:
            return self._prepare(task)
        except FetchFailed as error:
            return Later(str(error)) if error.retryable else Broken(str(error))
        except ConfigError as error:
            return _broken_config(error)
        except (GitError, PlanError, WorkspaceError) as error:
            return Broken(str(error))
        except ObjectStoreError as error:
            return Later(str(error))

    def _prepare(self, task: Task) -> Preparation:
        mirror = self.mirror(task.repository)
        commit = mirror.fetch(task.event.ref, task.event.commit)
        content = self._read_config(mirror, commit)
        if content is None:
            return NoRun(f"there is no {CONFIG_PATH} at {commit[:12]}")
        config = loader.load(content, path=CONFIG_PATH, limits=self.file_limits)
        changed = _changed(mirror, task.event, commit)
        if refusal := triggers.refusal(config.on, task.event, changed):
            return NoRun(refusal)
        info = mirror.commit(commit)
        event = known_event(task.event, commit, info.message, info.author)
        plan = planning.plan(config, event, self.limits, changed)
        source = self._capture(task.repository, mirror, info)
        return Prepared(
            config=content.decode(),
            plan=plan,
            changed=changed,
            source=source.digest,
            commit=commit,
            message=event.message,
            author=event.author,
            warnings=tuple(source.warnings),
        )

    def _read_config(self, mirror: Mirror, commit: str) -> bytes | None:
        try:
            return mirror.read_file(commit, CONFIG_PATH, self.file_limits.size)
        except (NotAFile, FileTooLarge) as error:
            mistake = Mistake("unreadable", error.message, error.cure, path=CONFIG_PATH)
            raise ConfigError((mistake,)) from error

    def _capture(self, repository: int, mirror: Mirror, commit: CommitInfo) -> Captured:
        return capture_source(
            mirror.tree(commit.id),
            mirror.blobs,
            self._previous(repository),
            self.snapshots,
            int(commit.committed_at * 1e9),
        )

    def _previous(self, repository: int) -> Manifest | None:
        """Return the manifest of an earlier source; one that was swept meanwhile helps nobody."""
        digest = self.previous_of(repository)
        if digest is None:
            return None
        try:
            return self.snapshots.load(digest)
        except (WorkspaceError, ObjectStoreError):
            return None


def _changed(mirror: Mirror, event: Event, commit: str) -> tuple[str, ...] | None:
    """Return the paths that an event changed, None where that cannot be known."""
    match event:
        case Push(before=str() as before, forced=False):
            return mirror.changed_paths(before, commit)
        case PullRequest(base=str() as base, branch=branch):
            try:
                mirror.fetch(f"refs/heads/{branch}", base)
            except GitError:
                return None
            return mirror.changed_paths(base, commit)
        case _:
            return None


def _broken_config(error: ConfigError) -> Broken:
    details = tuple(str(mistake) for mistake in error.mistakes)
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return Broken(details[0] + more, details)
