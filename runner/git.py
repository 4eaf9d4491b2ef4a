"""Git, hardened: mirrors of remote repositories, and the working tree that somebody is editing.

The only module that knows GitPython, and all that it does with it is to start commands: every
command line is written in the git modules, out of constants and of values that
`runner.git_names` has checked. What a mirror runs sees none of the server's environment and no
configuration but its own, starts no hook and no helper, and speaks only its remote's protocol.
"""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from runner import git_environment as environments
from runner.git_environment import Identity
from runner.git_errors import (
    CommandFailed,
    CommitGone,
    FetchFailed,
    GitUnusable,
    NotARepository,
    PushFailed,
    TimedOut,
)
from runner.git_names import (
    check_commit,
    check_notes_ref,
    check_ref,
    check_url,
    decode_path,
    own_ref,
)
from runner.git_objects import CommitInfo, Objects
from runner.git_process import Commands, Finished
from runner.workspace.source import TreeEntry

__all__ = ["OLDEST_GIT", "CommitInfo", "Identity", "Mirror", "WorkingTree", "check_version"]

# Since 2.31 git takes tokens by GIT_CONFIG_COUNT, since 2.32 it obeys GIT_CONFIG_GLOBAL.
OLDEST_GIT = (2, 32)

# Answers that a later try would only get again.
_REFUSALS = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|Permission denied"
    r"|returned error: (?:30\d|40[0-7]|41\d)|Host key verification failed"
    r"|repository '.*' not found|Repository not found|does not appear to be a git repository"
    r"|unable to update url base from redirection|SSL certificate|server certificate verification"
    r"|fsck error|mismatched algorithms|dubious ownership|hook declined",
    re.IGNORECASE,
)
_RACES = re.compile(
    r"\[rejected\]|cannot lock ref|failed to update ref|incorrect old value|reference already exists"
)

_MARKER = "hookline-remote"
_NOTE_TRIES = 8


class Mirror:
    """A bare mirror of one remote: fetches exactly what is asked for, never checks anything out.

    A ref of the remote is kept under a name of the mirror's own, with every position it ever had
    that its later history does not hold: what was once seen is never lost. Safe to use from many
    threads and processes at once.
    """

    def __init__(
        self,
        path: Path,
        url: str,
        *,
        token: str | None = None,
        username: str | None = "x-access-token",
        timeout: float = 300.0,
        allow_http: bool = False,
        identity: Identity | None = None,
        most_packs: int = 50,
    ) -> None:
        """Describe the mirror at `path`; nothing is made or fetched yet.

        `token` is sent as the password of `username`, or as a bearer token if that is None.
        `timeout` is the longest that one git command may take, in seconds. Every fetch leaves a
        pack; more than `most_packs` are put together. Raise `HostileUrl`.
        """
        remote = check_url(url, allow_http=allow_http)
        header, secrets = environments.credential(remote, username, token)
        self.path = path.absolute()
        self.url = remote.url
        self._most_packs = most_packs
        self._bare = Commands(
            start=start,
            options=environments.options(environments.HARDENED),
            environment=environments.hardened(identity=identity),
            timeout=timeout,
        )
        self._local = self._bare.having(f"--git-dir={self.path}")
        self._network = self._local.having(
            environment={**environments.hardened(remote.scheme, identity), **header},
            secrets=secrets,
        )
        self._objects = Objects(self._local, f"the mirror of {self.url}")

    def fetch(self, ref: str, commit: str) -> str:
        """Make a commit of a ref present and return its id, which for a tag object is its commit's.

        Asks the remote only for what is not there yet. The commit must be in the history of the
        ref as the mirror has ever seen it: `CommitGone` if it is not, `FetchFailed` if the remote
        does not answer or refuses, `HostileRef` if either name is none.
        """
        own = own_ref(check_ref(ref))
        check_commit(commit)
        with self._locked():
            self._prepare(len(commit))
            found = self._seen(own, commit)
            if found is None:
                self._download(ref, own)
                found = self._seen(own, commit)
        if found is None:
            message = f"commit {commit} is not in the history of {ref} at {self.url}"
            raise CommitGone(message, cure="it was pushed over, or belongs to another repository")
        return found

    def read_file(self, commit: str, path: str, limit: int) -> bytes | None:
        """Return a file's bytes at a commit that was fetched, None if there is none.

        Raise `FileTooLarge` above `limit` bytes, before anything is read; `NotAFile` for a
        symlink, submodule or folder; `CommitGone`, `HostilePath`.
        """
        return self._objects.read_file(commit, path, limit)

    def tree(self, commit: str) -> Iterator[TreeEntry]:
        """Yield every file, symlink and submodule of a commit that was fetched, as git sorts them.

        The size of a submodule is None. Raise `CommitGone` at once, `HostilePath` on the way.
        """
        return self._objects.tree(commit)

    def blobs(self, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield (id, bytes) of blobs in the order asked for, one in memory at a time.

        `oids` is read as the blobs are, never far ahead. Raise `CommandFailed` for one that is not
        in the mirror, `NotAFile` for one that is no blob.
        """
        return self._objects.blobs(oids)

    def changed_paths(self, before: str, after: str) -> tuple[str, ...] | None:
        """Return the paths that differ between `after` and where it left the history of `before`.

        For a push that is what it brought, for a pull request what its branch did. None if that
        cannot be known: `before` was never fetched, or they share no history. Raise `CommitGone`.
        """
        return self._objects.changed_paths(before, after)

    def commit(self, commit: str) -> CommitInfo:
        """Return what a commit that was fetched says of itself; raise `CommitGone`."""
        return self._objects.commit(commit)

    def add_note(self, commit: str, text: str, ref: str = "refs/notes/hookline") -> None:
        """Put a note on a commit that was fetched, in place of an earlier one, and push it.

        Others may write notes at the same time: theirs stay. Raise `CommitGone`, `FetchFailed`,
        `PushFailed`.
        """
        check_notes_ref(ref)
        with self._locked():
            self._prepare(len(check_commit(commit)))
            found = self._objects.require(commit)
            for _ in range(_NOTE_TRIES):
                self._download_notes(ref)
                self._write_note(ref, found, text)
                if self._push(ref):
                    return
        message = f"others wrote {ref} at {self.url} each of the {_NOTE_TRIES} times it was pushed"
        raise PushFailed(message, retryable=True)

    def _seen(self, own: str, commit: str) -> str | None:
        """Return the id of a commit that is in the history of a ref, None if it is not."""
        found = self._objects.find(commit)
        if found is None:
            return None
        holders = self._local.check("for-each-ref", f"--contains={found}", "--count=1", f"{own}/")
        return found if holders else None

    def _download(self, ref: str, own: str) -> None:
        self._clear_leftovers()
        self._advance(own)
        if not self._fetch(f"+{ref}:{own}/next"):
            message = f"there is no {ref} at {self.url}"
            raise CommitGone(message, cure="it was deleted since, or never pushed")
        self._advance(own)
        self._tidy()

    def _advance(self, own: str) -> None:
        """Make what was fetched the ref's present position; one that it dropped is kept aside."""
        following = self._objects.resolve(f"{own}/next")
        if following is None:
            return
        changes = [f"update {own}/tip {following}", f"delete {own}/next"]
        present = self._objects.resolve(f"{own}/tip")
        if present is not None and not self._objects.is_ancestor(present, following):
            changes.append(f"update {own}/seen/{present} {present}")
        self._local.check("update-ref", "--stdin", listen_to="\n".join([*changes, ""]).encode())

    def _tidy(self) -> None:
        """Put small packs together when there are many; nothing that they hold is dropped."""
        if sum(1 for _ in self.path.glob("objects/pack/*.pack")) > self._most_packs:
            # A mirror that could not be tidied is slower, not wrong; the next fetch tries again.
            with suppress(CommandFailed):
                self._local.check("repack", "--geometric=2", "-d", "--quiet")

    def _fetch(self, refspec: str) -> bool:
        """Fetch one ref; return False if the remote does not have it, raise `FetchFailed`."""
        arguments = ("--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--quiet")
        try:
            finished = self._network.run("fetch", *arguments, "--end-of-options", self.url, refspec)
        except TimedOut as error:
            message = f"cannot fetch from {self.url}: {error.message}"
            raise FetchFailed(message, retryable=True) from None
        if finished.code != 0 and "couldn't find remote ref" not in finished.error:
            message = f"cannot fetch from {self.url}: {finished.error}"
            raise FetchFailed(message, retryable=not _REFUSALS.search(finished.error))
        return finished.code == 0

    def _download_notes(self, ref: str) -> None:
        self._clear_leftovers()
        if not self._fetch(f"+{ref}:{ref}"):
            self._local.check("update-ref", "-d", ref)

    def _write_note(self, ref: str, commit: str, text: str) -> None:
        arguments = (f"--ref={ref}", "add", "--force", "--allow-empty", "--file=-")
        said = text.encode(errors="replace")
        self._local.check("notes", *arguments, "--end-of-options", commit, listen_to=said)

    def _push(self, ref: str) -> bool:
        """Push a ref of notes; return False if somebody else was faster, raise `PushFailed`."""
        try:
            finished = self._network.run(
                *("push", "--porcelain", "--no-verify"),
                *("--end-of-options", self.url, f"{ref}:{ref}"),
            )
        except TimedOut as error:
            message = f"cannot push to {self.url}: {error.message}"
            raise PushFailed(message, retryable=True) from None
        said = f"{finished.output.decode(errors='replace')} {finished.error}"
        if finished.code != 0 and not _RACES.search(said):
            message = f"cannot push {ref} to {self.url}: {finished.error}"
            raise PushFailed(message, retryable=not _REFUSALS.search(said))
        return finished.code == 0

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep every other thread and process that would write to this mirror waiting."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._beside(".lock"), "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _prepare(self, digits: int) -> None:
        """Have a mirror of this remote at the path; one that is half made is made anew."""
        marker = self.path / _MARKER
        form = "sha256" if digits == 64 else "sha1"
        if marker.is_file() and marker.read_text() == f"{self.url}\n{form}\n":
            return
        if _is_somebody_elses(self.path):
            message = f"{self.path} is no mirror that Hookline made"
            raise NotARepository(message, cure="choose a folder of its own for the mirrors")
        self._make(form)

    def _make(self, form: str) -> None:
        """Make an empty mirror beside the path and put it there whole."""
        fresh, waste = self._beside(".new"), self._beside(".old")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(waste, ignore_errors=True)
        arguments = ("--bare", "--quiet", "--template=", f"--object-format={form}")
        self._bare.check("init", *arguments, "--", str(fresh))
        (fresh / _MARKER).write_text(f"{self.url}\n{form}\n")
        if self.path.exists():
            self.path.rename(waste)
        fresh.rename(self.path)
        shutil.rmtree(waste, ignore_errors=True)

    def _clear_leftovers(self) -> None:
        """Remove what a killed git left: with the lock held, no lock file belongs to anybody."""
        for pattern in ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*"):
            for leftover in self.path.glob(pattern):
                leftover.unlink(missing_ok=True)
        for folder in self.path.glob("objects/tmp_objdir-*"):
            shutil.rmtree(folder, ignore_errors=True)


class WorkingTree:
    """The checkout that somebody is editing, as `hookline run` sees it; nothing in it is changed.

    Git runs here with its user's own configuration, but starts no hook and no monitor. `top` is
    the folder that holds the whole of it.
    """

    def __init__(self, path: Path, *, timeout: float = 60.0) -> None:
        """Find the working tree that holds a folder; raise `NotARepository`, `CommandFailed`."""
        inside = self._commands(path.absolute(), timeout)
        if not path.is_dir():
            message = f"{path} is no folder"
            raise NotARepository(message, cure="name a folder of a checkout")
        self.top = _top_level(path, inside.run("rev-parse", "--show-toplevel"))
        self._git = self._commands(self.top, timeout)

    @staticmethod
    def _commands(path: Path, timeout: float) -> Commands:
        return Commands(
            start=start,
            options=(*environments.options(environments.QUIET), "-C", str(path)),
            environment=environments.users(),
            timeout=timeout,
        )

    def head(self) -> CommitInfo | None:
        """Return the commit that is checked out, None in a repository without commits."""
        objects = Objects(self._git, str(self.top))
        found = objects.find("HEAD")
        return None if found is None else objects.commit(found)

    def branch(self) -> str | None:
        """Return the branch that is checked out (it may have no commit yet), None if none is."""
        finished = self._git.run("symbolic-ref", "--quiet", "HEAD")
        name = finished.output.decode(errors="replace").removesuffix("\n")
        return name.removeprefix("refs/heads/") if finished.code == 0 else None

    def files(self) -> tuple[str, ...]:
        """Return the files and symlinks that are tracked, or neither tracked nor ignored, sorted.

        Paths count from `top`. What is gone from the disk is left out, and so is what lies in a
        submodule or another repository. Raise `HostilePath` for a name that is not UTF-8.
        """
        arguments = ("-z", "--cached", "--others", "--exclude-standard", "--full-name")
        listing = self._git.check("ls-files", *arguments)
        paths = {decode_path(raw) for raw in listing.split(b"\0") if raw}
        return tuple(sorted(path for path in paths if _is_file(self.top / path)))


def start(
    arguments: Sequence[str], environment: Mapping[str, str], *, listens: bool
) -> subprocess.Popen[bytes]:
    """Start git with exactly this environment (see `runner.git_process.Start`).

    GitPython can only add to the environment that it runs in, so `env` takes the rest away, by
    name: no value of it is ever on a command line.
    """
    unset = [word for name in os.environ if name not in environment for word in ("-u", name)]
    return _spawn(["env", *unset, _executable(), *arguments], environment, listens=listens)


def check_version(text: str) -> tuple[int, int]:
    """Return the version in what `git --version` printed; raise `GitUnusable` if it is too old."""
    found = re.match(r"git version (\d{1,6})\.(\d{1,6})", text)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < OLDEST_GIT:
        message = f"the git that is installed says {text.strip()[:80]!r}, which is too old"
        raise GitUnusable(message, cure=f"install git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer")
    return version


@functools.cache
def _executable() -> str:
    """Return the git program, looked for and asked for its version once a process."""
    try:
        from git import Git  # noqa: PLC0415  a fifth of a second that many commands never need
    except ImportError as error:
        message = f"git cannot be run: {str(error).splitlines()[0]}"
        raise GitUnusable(message, cure="install git, and have it in PATH") from None
    program = str(Git.GIT_PYTHON_GIT_EXECUTABLE)
    with _spawn([program, "--version"], environments.hardened(), listens=False) as process:
        check_version(process.communicate()[0].decode(errors="replace"))
    return program


def _spawn(
    command: Sequence[str], environment: Mapping[str, str], *, listens: bool
) -> subprocess.Popen[bytes]:
    from git import Git  # noqa: PLC0415  as above

    handle = Git().execute(
        list(command),
        istream=subprocess.PIPE if listens else None,
        as_process=True,
        env=environment,
        shell=False,
        start_new_session=True,
    )
    # Whoever asked ends the process, with its whole group; GitPython would only end its leader.
    process, handle.proc = handle.proc, None
    return cast("subprocess.Popen[bytes]", process)


def _is_somebody_elses(path: Path) -> bool:
    """Return whether a folder holds anything that a half-made mirror would not."""
    if not path.exists() or (path / _MARKER).is_file():
        return False
    names = {entry.name for entry in path.iterdir()}
    return (
        not names <= {"HEAD", "config", "objects", "refs"} or {"HEAD", "objects", "refs"} <= names
    )


def _top_level(path: Path, finished: Finished) -> Path:
    if "not a git repository" in finished.error:
        message = f"{path} is in no git repository"
        raise NotARepository(message, cure="run `git init` there, or go to a checkout")
    if "must be run in a work tree" in finished.error:
        message = f"{path} belongs to a git repository without files"
        raise NotARepository(message, cure="go to a checkout of it")
    if finished.code != 0:
        message = f"git cannot use {path}: {finished.error}"
        raise CommandFailed(message)
    return Path(os.fsdecode(finished.output.removesuffix(b"\n")))


def _is_file(path: Path) -> bool:
    return path.is_symlink() or (path.exists() and not path.is_dir())
