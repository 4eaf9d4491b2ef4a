"""Why git could not do what was asked, as values a person can act on.

GitError
├── GitUnusable      there is no git on this machine, or it is too old
├── CommandFailed    a git command failed in a way that nothing foresaw
│   └── TimedOut     a git command was ended because it took too long
├── CommitGone       the commit cannot be fetched, or is not in the history of its ref
├── FetchFailed      the remote cannot be reached or refuses; `retryable` says whether to try again
├── PushFailed       the remote did not take what was pushed; `retryable` as above
├── HostileRef       a ref or commit id that git could take for something else
├── HostilePath      a path that leads out of the tree, or has no place in a file system
├── HostileUrl       an address that git must not be given
├── FileTooLarge     a file over the limit it was to be read with
├── NotAFile         a symlink, submodule or folder where a file should be
└── NotARepository   a folder that holds no git repository, or not the one expected
"""

from __future__ import annotations

from typing import ClassVar


class GitError(Exception):
    """The root of what the git modules raise.

    `code` is stable, `message` says what happened and where, `cure` what would be right. None of
    them ever holds a token.
    """

    code: ClassVar[str] = "git"

    def __init__(self, message: str, *, cure: str = "") -> None:
        self.message = message
        self.cure = cure
        super().__init__(message + (f" ({cure})" if cure else ""))


class GitUnusable(GitError):
    """There is no git on this machine, or it is too old."""

    code = "git-unusable"


class CommandFailed(GitError):
    """A git command failed in a way that nothing foresaw; the message carries git's own words."""

    code = "git-command-failed"


class TimedOut(CommandFailed):
    """A git command, and every process it had started, was ended because it took too long."""

    code = "git-timed-out"


class CommitGone(GitError):
    """The commit cannot be fetched, or it is not in the history of the ref it was claimed for."""

    code = "commit-gone"


class FetchFailed(GitError):
    """The remote cannot be reached or refuses; `retryable` where a later try may succeed."""

    code = "fetch-failed"

    def __init__(self, message: str, *, retryable: bool, cure: str = "") -> None:
        self.retryable = retryable
        super().__init__(message, cure=cure)


class PushFailed(GitError):
    """The remote did not take what was pushed; `retryable` where a later try may succeed."""

    code = "push-failed"

    def __init__(self, message: str, *, retryable: bool, cure: str = "") -> None:
        self.retryable = retryable
        super().__init__(message, cure=cure)


class HostileRef(GitError):
    """A ref or commit id that git could take for something else."""

    code = "hostile-ref"


class HostilePath(GitError):
    """A path that leads out of the tree, or has no place in a file system."""

    code = "hostile-path"


class HostileUrl(GitError):
    """An address that git must not be given."""

    code = "hostile-url"


class FileTooLarge(GitError):
    """A file over the limit it was to be read with; `size` and `limit` are bytes."""

    code = "file-too-large"

    def __init__(self, path: str, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(
            f"{path} has {size} bytes", cure=f"it can be read up to {limit} bytes: make it shorter"
        )


class NotAFile(GitError):
    """A symlink, submodule or folder where a file should be."""

    code = "not-a-file"


class NotARepository(GitError):
    """A folder that holds no git repository, or not the one expected."""

    code = "not-a-repository"
