"""What git may be given as a commit, a ref, a path or an address: checked before any command runs.

Pure functions. What passes here can never be read as an option, as another protocol or as a place
outside the tree, so that the modules that start git need no quoting and no second look.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from runner.git_errors import HostilePath, HostileRef, HostileUrl

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FORGE_REF = re.compile(r"refs/(heads|tags|pull|merge-requests|pull-requests)/.+", re.DOTALL)
_NOTES_REF = re.compile(r"refs/notes/.+", re.DOTALL)
_LONGEST_REF = 1000

# https://git-scm.com/docs/git-check-ref-format, rules 1, 3, 4, 5, 6, 7, 8 and 10.
_FORBIDDEN_IN_REF = re.compile(
    r"""[\x00-\x20\x7f~^:?*\[\\]   # characters that mean something to git
      | \.\. | @\{ | //            # sequences that do
      | /\. | \.lock(?:/|\Z)       # parts that git keeps for itself
      | [./]\Z                     # endings
    """,
    re.VERBOSE,
)

_LONGEST_PATH = 4096
_LONGEST_URL = 2048
_HOST = re.compile(r"(?!-)[A-Za-z0-9._-]{1,253}(?<!-)|[0-9a-f:.]{2,45}")
_USER = re.compile(r"(?!-)[A-Za-z0-9._-]{1,64}")
_URL_PART = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~%+-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Remote:
    """An address that git may be given; `scheme` is `https`, `http`, `ssh` or `file`.

    For a local repository `url` is its absolute path. `origin` is scheme, host and port, the part
    that a credential belongs to; empty where none is ever sent.
    """

    url: str
    scheme: str
    origin: str = ""


def check_commit(commit: str) -> str:
    """Return a commit id: 40 or 64 small hexadecimal digits, not all zero; raise `HostileRef`."""
    if not _COMMIT.fullmatch(commit) or set(commit) == {"0"}:
        message = f"{commit[:80]!r} is no commit id"
        raise HostileRef(message, cure="give all 40 or 64 hexadecimal digits of it")
    return commit


def check_ref(ref: str) -> str:
    """Return the full name of a branch, tag or pull request's ref; raise `HostileRef`.

    The grammar is git's own (git-check-ref-format) within the places where forges keep such refs.
    """
    return _check(ref, _FORGE_REF, "refs/heads/NAME, refs/tags/NAME or a pull request's ref")


def check_notes_ref(ref: str) -> str:
    """Return the full name of a ref that holds notes; raise `HostileRef`."""
    return _check(ref, _NOTES_REF, "refs/notes/NAME")


def _check(ref: str, place: re.Pattern[str], expected: str) -> str:
    sound = place.fullmatch(ref) and not _FORBIDDEN_IN_REF.search(ref) and _is_text(ref)
    if not sound or len(ref.encode()) > _LONGEST_REF:
        message = f"{ref[:80]!r} is no name of a ref that can be used here"
        raise HostileRef(message, cure=f"give {expected}")
    return ref


def own_ref(ref: str) -> str:
    """Return where a mirror keeps a remote's ref: legible, and different for every ref.

    The digest keeps names apart that differ only in case, or where one is a folder of the other.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", ref.removeprefix("refs/").lower())[:40].strip("-")
    return f"refs/hookline/{slug}-{hashlib.sha256(ref.encode()).hexdigest()[:32]}"


def check_path(path: str) -> str:
    """Return a path inside a tree: relative, `/` between parts, UTF-8; raise `HostilePath`."""
    parts = path.split("/")
    bad = any(part in ("", ".", "..") or part.casefold() == ".git" for part in parts)
    if bad or "\0" in path or not _is_text(path) or len(path) > _LONGEST_PATH:
        message = f"{path[:80]!r} is no path inside a repository"
        raise HostilePath(message, cure="give a relative path without '.', '..' and '.git'")
    return path


def decode_path(raw: bytes) -> str:
    """Return a path as git wrote it; raise `HostilePath`, naming it, if it is not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        message = f"the file name {raw[:200]!r} is not UTF-8"
        raise HostilePath(message, cure="rename the file") from None


def check_url(url: str, *, allow_http: bool = False) -> Remote:
    """Return the remote at an address from the configuration; raise `HostileUrl`.

    Allowed are `https://`, `ssh://USER@`, an absolute local path (also as `file:///`), and with
    `allow_http` plain `http://`. Never a password, a query, a variable or a helper's `NAME::`.
    """
    if not url or len(url) > _LONGEST_URL or _CONTROL.search(url) or not _is_text(url):
        raise _hostile(url, "give one line of text")
    if url.startswith("/"):
        return _local(url, url)
    scheme, _, rest = url.partition("://")
    match scheme:
        case "https" | "ssh":
            return _distant(url, scheme)
        case "http" if allow_http:
            return _distant(url, scheme)
        case "http":
            raise _hostile(url, "use https: a token must not travel in the clear")
        case "file" if rest.startswith("/"):
            return _local(url, unquote(rest))
    raise _hostile(url, "begin with https://, ssh:// or, for a local repository, with /")


def _local(url: str, path: str) -> Remote:
    clean = path.rstrip("/")
    parts = clean.split("/")[1:]
    if _CONTROL.search(path) or not parts or any(part in ("", ".", "..") for part in parts):
        raise _hostile(url, "give an absolute path without empty, '.' and '..' parts")
    return Remote(clean, "file")


def _distant(url: str, scheme: str) -> Remote:
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise _hostile(url, "write scheme://host:port/path") from None
    if split.password is not None or (split.username is not None and scheme != "ssh"):
        raise _hostile(url, "leave user and password out: a token is configured by itself")
    if split.username is not None and not _USER.fullmatch(split.username):
        raise _hostile(url, "write ssh://USER@HOST/PATH")
    if not _HOST.fullmatch(split.hostname or "") or port == 0:
        raise _hostile(url, "write the host's name, and a port between 1 and 65535")
    parts = split.path.strip("/").split("/")
    if "?" in url or "#" in url or not all(_URL_PART.fullmatch(part) for part in parts):
        raise _hostile(url, "write the path with letters, digits and any of ._~%+- only")
    return Remote(url, scheme, f"{scheme}://{split.netloc}/" if scheme != "ssh" else "")


def _hostile(url: str, cure: str) -> HostileUrl:
    # A password that somebody wrote into the address must not reach a log through the error.
    shown = re.sub(r"//.*@", "//***@", url, flags=re.DOTALL)[:200]
    return HostileUrl(f"{shown!r} is no address of a repository that can be used", cure=cure)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
