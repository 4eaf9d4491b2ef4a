"""What a repository holds, read through git alone: nothing is ever checked out.

A path here comes from whoever can push. It is checked before it is told to anybody, and a file's
size before its bytes are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from runner.git_errors import CommandFailed, CommitGone, FileTooLarge, NotAFile
from runner.git_names import check_commit, check_path, decode_path
from runner.git_process import BrokeOff, Commands, Conversation
from runner.workspace.source import TreeEntry

_FILE_MODES = (0o100644, 0o100755)
# 50 object ids and their line ends are less than 4096 bytes, the smallest pipe there is.
_WINDOW = 50
_COMMIT_FORMAT = "format:%H%x00%an%x00%ct%x00%B"


@dataclass(frozen=True)
class CommitInfo:
    """What a commit says of itself; `committed_at` is in seconds since the epoch."""

    id: str
    message: str
    author: str
    committed_at: float


@dataclass(frozen=True)
class Objects:
    """The objects of one repository, which `place` names in errors."""

    commands: Commands
    place: str

    def find(self, name: str) -> str | None:
        """Return the id of the commit that a checked id or ref stands for, None if there is none.

        A tag object stands for the commit that it names.
        """
        return self.resolve(f"{name}^{{commit}}")

    def resolve(self, name: str) -> str | None:
        """Return the id of the object that a checked name stands for, None if there is none."""
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        finished = self.commands.run(*arguments)
        return finished.output.decode().strip() if finished.code == 0 else None

    def require(self, commit: str) -> str:
        """Return the id of the commit that an id stands for; raise `CommitGone`, `HostileRef`."""
        found = self.find(check_commit(commit))
        if found is None:
            message = f"commit {commit} is not in {self.place}"
            raise CommitGone(message, cure="fetch it first")
        return found

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Return whether a commit is in the history of another."""
        return self.commands.run("merge-base", "--is-ancestor", older, newer).code == 0

    def read_file(self, commit: str, path: str, limit: int) -> bytes | None:
        """Return a file's bytes at a commit, None if there is no file.

        Raise `FileTooLarge` above `limit` bytes, `NotAFile`, `CommitGone`, `HostilePath`.
        """
        found = self.require(commit)
        arguments = ("ls-tree", "-z", "-l", "--full-tree", "--", found, check_path(path))
        listing = self.commands.check(*arguments)
        if not listing:
            return None
        entry = _tree_entry(listing.removesuffix(b"\0"))
        if entry.mode not in _FILE_MODES or entry.size is None:
            message = f"{path} at {commit} is no regular file (mode {entry.mode:06o})"
            raise NotAFile(message, cure="put a plain file there")
        if entry.size > limit:
            raise FileTooLarge(path, entry.size, limit)
        return self.commands.check("cat-file", "blob", entry.oid)

    def tree(self, commit: str) -> Iterator[TreeEntry]:
        """Yield the files, symlinks and submodules of a commit, as git sorts them.

        Raise `CommitGone` at once, `HostilePath` on the way.
        """
        return self._entries(self.require(commit))

    def _entries(self, commit: str) -> Iterator[TreeEntry]:
        arguments = ("ls-tree", "-r", "-z", "-l", "--full-tree", "--", commit)
        with self.commands.talk(*arguments) as git:
            while (record := git.until(b"\0")) is not None:
                yield _tree_entry(record)

    def blobs(self, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield (id, bytes) of blobs in the order asked for, one in memory at a time.

        Raise `CommandFailed` for one that is not there, `NotAFile` for one that is no blob.
        """
        waiting = iter(oids)
        with self.commands.talk("cat-file", "--batch") as git:
            while window := [check_commit(oid) for oid in islice(waiting, _WINDOW)]:
                git.say("".join(f"{oid}\n" for oid in window).encode())
                for oid in window:
                    yield oid, self._blob(git, oid)

    def _blob(self, git: Conversation, oid: str) -> bytes:
        header = git.until(b"\n")
        if header is None:
            raise BrokeOff
        _, kind, *size = header.decode().split()
        if kind == "missing":
            message = f"object {oid} is not in {self.place}"
            raise CommandFailed(message, cure="fetch its commit again")
        if kind != "blob":
            message = f"object {oid} is no file but a {kind}"
            raise NotAFile(message, cure="ask for files only")
        return git.exactly(int(size[0]) + 1)[:-1]

    def changed_paths(self, before: str, after: str) -> tuple[str, ...] | None:
        """Return the paths that differ between `after` and where it left the history of `before`.

        None if `before` is not there, or shares no history with `after`. Raise `CommitGone`.
        """
        base, head = self.find(check_commit(before)), self.require(after)
        if base is None:
            return None
        common = self.commands.run("merge-base", "--end-of-options", base, head)
        if common.code != 0:
            return None
        fork = check_commit(common.output.decode().strip())
        listing = self.commands.check(
            *("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff"),
            *("--ignore-submodules=none", "--end-of-options", fork, head, "--"),
        )
        return tuple(raw.decode(errors="replace") for raw in listing.split(b"\0") if raw)

    def commit(self, commit: str) -> CommitInfo:
        """Return what a commit says of itself; raise `CommitGone`."""
        # A repository's own log.showSignature would start whatever program it names for gpg.
        shown = self.commands.check(
            *("log", "-1", "--no-show-signature", "--no-notes", "--no-mailmap", "--no-color"),
            *("--encoding=UTF-8", f"--format={_COMMIT_FORMAT}"),
            *("--end-of-options", self.require(commit), "--"),
        )
        identity, author, moment, message = shown.decode(errors="replace").split("\0", 3)
        return CommitInfo(identity, message.strip("\n"), author, float(moment))


def _tree_entry(record: bytes) -> TreeEntry:
    """Return the entry in a record of `git ls-tree -l`: mode, type, id, size, tab, path."""
    described, _, raw = record.partition(b"\t")
    mode, _, oid, size = described.decode().split()
    path = check_path(decode_path(raw))
    return TreeEntry(path, int(mode, 8), oid, None if size == "-" else int(size))
