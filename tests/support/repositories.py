"""Real git repositories, made to order, and a real smart-HTTP server for them.

repository = BareRepository(tmp_path / "web.git")
first = repository.commit({".ci.yaml": "steps: {}", "run.sh": executable("echo hi")})
with serve_http(tmp_path) as server:
    Mirror(path, server.url("web.git"), allow_http=True).fetch("refs/heads/main", first)
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from tests.support.loopback import LoopbackServer, QuietHandler, serving

_ENVIRONMENT = {
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "LC_ALL": "C",
}
FIRST_MOMENT = 1_700_000_000


@dataclass(frozen=True)
class Entry:
    """What a path is to be in a commit, where it is more than a plain file."""

    mode: str
    data: bytes


Content: TypeAlias = str | bytes | Entry | None


def executable(text: str) -> Entry:
    """Return a file that may be run."""
    return Entry("100755", text.encode())


def symlink(target: str) -> Entry:
    """Return a symbolic link."""
    return Entry("120000", target.encode())


def submodule(commit: str) -> Entry:
    """Return a link to a commit of another repository."""
    return Entry("160000", commit.encode())


def run_git(*arguments: str, at: Path, listen_to: bytes = b"", **variables: str) -> bytes:
    """Run git in a folder, untouched by this machine's configuration, and return its output."""
    environment = {"PATH": os.environ["PATH"], **_ENVIRONMENT, **variables}
    finished = subprocess.run(
        ["git", "-C", str(at), *arguments],
        input=listen_to,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr.decode()
    return finished.stdout


@dataclass
class BareRepository:
    """A bare repository, made if it is not there; commits go in without any checkout.

    Commits are one second apart, from `FIRST_MOMENT` on, so that equal histories have equal ids.
    """

    path: Path
    object_format: str = "sha1"
    moment: int = field(default=FIRST_MOMENT, init=False)

    def __post_init__(self) -> None:
        if not self.path.exists():
            self.path.mkdir(parents=True)
            form = f"--object-format={self.object_format}"
            self.git("init", "--bare", "--quiet", "--template=", "-b", "main", form)
            self.git("config", "http.receivepack", "true")

    @property
    def url(self) -> str:
        """The address of the repository for those on this machine."""
        return str(self.path)

    def git(self, *arguments: str, listen_to: bytes = b"", **variables: str) -> str:
        """Run git in the repository and return the first line's worth of what it prints."""
        return run_git(*arguments, at=self.path, listen_to=listen_to, **variables).decode().strip()

    def commit(
        self,
        files: Mapping[str, Content],
        branch: str = "main",
        message: str = "a change",
        *,
        parent: str | None = None,
    ) -> str:
        """Commit on top of a branch, which is made if need be, and return the commit's id.

        None removes a path. With `parent` the commit goes on top of that instead, and the branch
        is forced to it; "" makes a first commit that shares no history.
        """
        base = self.tip(branch) if parent is None else parent
        index = self.path / "test.index"
        index.unlink(missing_ok=True)
        if base:
            self.git("read-tree", base, GIT_INDEX_FILE=str(index))
        lines = "".join(self._index_line(path, content) for path, content in files.items())
        listing = lines.encode()
        self.git("update-index", "-z", "--index-info", listen_to=listing, GIT_INDEX_FILE=str(index))
        tree = self.git("write-tree", "--missing-ok", GIT_INDEX_FILE=str(index))
        return self.commit_tree(tree, branch, message, parent=base)

    def commit_tree(self, tree: str, branch: str, message: str, *, parent: str = "") -> str:
        """Commit a tree that is already there and force the branch to it; return its id."""
        self.moment += 1
        date = f"{self.moment} +0000"
        ancestry = ("-p", parent) if parent else ()
        commit = self.git(
            "commit-tree",
            tree,
            *ancestry,
            listen_to=message.encode(),
            GIT_AUTHOR_DATE=date,
            GIT_COMMITTER_DATE=date,
        )
        self.point(f"refs/heads/{branch}", commit)
        return commit

    def _index_line(self, path: str, content: Content) -> str:
        match content:
            case None:
                return f"0 {'0' * len(self.write(b''))}\t{path}\0"
            case str():
                return f"100644 {self.write(content.encode())}\t{path}\0"
            case bytes():
                return f"100644 {self.write(content)}\t{path}\0"
            case Entry("160000", data):
                return f"160000 {data.decode()}\t{path}\0"
            case Entry(mode, data):
                return f"{mode} {self.write(data)}\t{path}\0"

    def write(self, data: bytes, kind: str = "blob") -> str:
        """Write any object, also one that git would refuse, and return its id."""
        return self.git("hash-object", "-w", "--literally", "-t", kind, "--stdin", listen_to=data)

    def tip(self, branch: str = "main") -> str:
        """Return the commit that a branch is at, "" if there is none."""
        return self.position(f"refs/heads/{branch}")

    def position(self, ref: str) -> str:
        """Return the object that a ref names, "" if there is none."""
        return self.git("for-each-ref", "--format=%(objectname)", ref)

    def point(self, ref: str, target: str) -> None:
        """Make a ref name an object, wherever it was before: a new branch, or a forced push."""
        self.git("update-ref", "--end-of-options", ref, target)

    def delete(self, ref: str) -> None:
        """Delete a ref."""
        self.git("update-ref", "-d", ref)

    def tag(self, name: str, target: str, message: str | None = None) -> str:
        """Make a tag, with a message an annotated one, and return the object that it names."""
        if message is None:
            self.point(f"refs/tags/{name}", target)
            return target
        kind = self.git("cat-file", "-t", target)
        tagger = f"Ada <ada@example.com> {self.moment} +0000"
        body = f"object {target}\ntype {kind}\ntag {name}\ntagger {tagger}\n\n{message}\n"
        tag = self.git("mktag", listen_to=body.encode())
        self.point(f"refs/tags/{name}", tag)
        return tag

    def note(self, commit: str, ref: str = "refs/notes/hookline") -> str:
        """Return the note on a commit."""
        return self.git("notes", f"--ref={ref}", "show", commit)


@dataclass(frozen=True)
class Request:
    """What a git server was asked."""

    method: str
    path: str
    authorization: str


@dataclass
class GitServer:
    """A smart-HTTP server; `requests` is everything that it was asked, in order.

    `refusals` are answers, (code, text), that the next requests get in place of git's.
    """

    base: str
    requests: list[Request] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)

    def url(self, name: str) -> str:
        """Return the address of a repository by its path under the root."""
        return f"{self.base}/{name}"


@contextmanager
def serve_http(
    root: Path, *, token: str | None = None, username: str | None = "x-access-token"
) -> Iterator[GitServer]:
    """Serve the repositories under a folder, for fetch and push, until the block ends.

    With a token, only to those who send it: as the password of `username`, or as a bearer token
    if that is None.
    """
    expected = None if token is None else _authorization(username, token)

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self.body()
            sent = self.headers.get("Authorization", "")
            server.requests.append(Request(self.command, self.path, sent))
            if server.refusals:
                code, text = server.refusals.pop(0)
                self.answer(code, {"Content-Type": "text/plain"}, text.encode())
            elif expected is not None and sent != expected:
                self.answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"no")
            else:
                self.answer(*_backend(root, self, body))

    http = LoopbackServer(Handler)
    server = GitServer(http.url)
    with serving(http):
        yield server


def _authorization(username: str | None, token: str) -> str:
    if username is None:
        return f"Bearer {token}"
    return f"Basic {base64.b64encode(f'{username}:{token}'.encode()).decode()}"


def _backend(root: Path, handler: QuietHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Answer through `git http-backend`, as a web server would by CGI (RFC 3875)."""
    path, _, query = handler.path.partition("?")
    variables = {
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": handler.command,
        "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
        "REMOTE_USER": "pusher",
        "REMOTE_ADDR": "127.0.0.1",
    }
    answer = run_git("http-backend", at=root, listen_to=body, **variables)
    head, _, content = answer.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    code = int(headers.pop("Status", "200").split()[0])
    return code, headers, content


@dataclass
class SilentServer:
    """A server that takes connections and never answers; `left` is set when a client gives up."""

    url: str
    left: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve_silence() -> Iterator[SilentServer]:
    """Take connections and say nothing until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = SilentServer(f"http://127.0.0.1:{listener.getsockname()[1]}/web.git")
        thread = threading.Thread(target=_keep_silent, args=(listener, silent), daemon=True)
        thread.start()
        try:
            yield silent
        finally:
            # A connection of our own lets `accept` return where no client ever came.
            socket.create_connection(listener.getsockname()).close()
            thread.join()


def _keep_silent(listener: socket.socket, silent: SilentServer) -> None:
    connection, _ = listener.accept()
    with connection:
        while connection.recv(4096):
            pass
    silent.left.set()


def work_tree(path: Path, files: Mapping[str, str], *, commit: bool = True) -> Path:
    """Make a checkout with these files, committed on `main` unless told otherwise; return it."""
    path.mkdir(parents=True)
    run_git("init", "--quiet", "--template=", "-b", "main", at=path)
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    if commit:
        run_git("add", "--all", at=path)
        run_git("commit", "--quiet", "--message=start", at=path)
    return path


def copy_of(repository: BareRepository, path: Path) -> BareRepository:
    """Return a fork: the same objects and refs in a repository of its own."""
    shutil.copytree(repository.path, path)
    fork = BareRepository(path, repository.object_format)
    fork.moment = repository.moment + 1000
    return fork
