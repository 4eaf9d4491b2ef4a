"""Git commands as processes with an end: fixed options, a time limit, and nobody left behind.

Who starts the process is given from outside (`Start`), so that GitPython stays in `runner/git.py`.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import IO, Protocol

from runner.git_errors import CommandFailed, TimedOut

_LONGEST_ERROR = 1000
_CHUNK = 1 << 16
_GRACE = 2.0


class Start(Protocol):
    """Starts git with exactly this environment, as the leader of a new process group."""

    def __call__(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, listens: bool
    ) -> subprocess.Popen[bytes]:
        """Return the process, its output in pipes; its input is one if it `listens`, else empty."""


@dataclass(frozen=True)
class Finished:
    """A command that ended by itself: its exit code, its output, and its complaint, made legible."""

    code: int
    output: bytes
    error: str


class BrokeOff(Exception):
    """A command's output ended where more was due; `Commands.talk` turns it into its reason."""


class Conversation:
    """A git command that answers while it is being asked; no wait is longer than the time limit.

    Its waits raise `TimedOut`, and `BrokeOff` where the output ends in the middle of an answer.
    """

    def __init__(self, verb: str, process: subprocess.Popen[bytes], timeout: float) -> None:
        self._verb = verb
        self._timeout = timeout
        self._input = _pipe(process.stdin)
        self._output = _pipe(process.stdout)
        self._buffer = bytearray()

    def say(self, data: bytes) -> None:
        """Send what fits into a pipe at once; more must wait for the answers to what was said."""
        with suppress(BrokenPipeError):  # the missing answer will tell
            while data:
                data = data[os.write(self._input, data) :]

    def until(self, end: bytes) -> bytes | None:
        """Return what comes before the byte `end`, None at the end of the output."""
        searched = 0
        while (found := self._buffer.find(end, searched)) < 0:
            searched = len(self._buffer)
            if not self._read_more():
                if self._buffer:
                    raise BrokeOff
                return None
        return self._take(found, len(end))

    def exactly(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        while len(self._buffer) < size:
            if not self._read_more():
                raise BrokeOff
        return self._take(size, 0)

    def _take(self, size: int, skip: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:size])
        del self._buffer[: size + skip]
        return taken

    def _read_more(self) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            if not selector.select(self._timeout):
                raise _timed_out(self._verb, self._timeout)
        chunk = os.read(self._output, _CHUNK)
        self._buffer += chunk
        return bool(chunk)


@dataclass(frozen=True, kw_only=True)
class Commands:
    """Runs git with the same options, environment and time limit (seconds) every time.

    `secrets` are replaced in whatever git says. Arguments come after the options and must have been
    checked by `runner.git_names` where they came from outside.
    """

    start: Start
    options: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    timeout: float
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def having(
        self,
        *options: str,
        environment: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
    ) -> Commands:
        """Return the same with more options, other variables, or secrets to keep."""
        return replace(
            self,
            options=(*self.options, *options),
            environment=self.environment if environment is None else environment,
            secrets=secrets,
        )

    def run(self, *arguments: str, listen_to: bytes | None = None) -> Finished:
        """Run a command to its end and return how it went; raise `TimedOut`.

        `listen_to` is what it reads as its input; none if it is not given.
        """
        with self._started(arguments, listens=listen_to is not None) as process:
            try:
                output, error = process.communicate(listen_to, timeout=self.timeout)
            except subprocess.TimeoutExpired:
                raise _timed_out(arguments[0], self.timeout) from None
            return Finished(process.returncode, output, self._legible(error))

    def check(self, *arguments: str, listen_to: bytes | None = None) -> bytes:
        """Run a command to its end and return its output; raise `CommandFailed` if it failed."""
        finished = self.run(*arguments, listen_to=listen_to)
        if finished.code != 0:
            raise _failed(arguments[0], finished.code, finished.error)
        return finished.output

    @contextmanager
    def talk(self, *arguments: str) -> Iterator[Conversation]:
        """Open a conversation with a command; raise `CommandFailed` if it failed in the end.

        Left early, the command is ended.
        """
        with self._started(arguments, listens=True) as process:
            complaint = ""
            try:
                yield Conversation(arguments[0], process, self.timeout)
            except BrokeOff:
                complaint = "its output broke off"
            error = self._ending(arguments[0], process) or complaint
            if process.returncode != 0 or complaint:
                raise _failed(arguments[0], process.returncode, error)

    def _ending(self, verb: str, process: subprocess.Popen[bytes]) -> str:
        try:
            _, error = process.communicate(timeout=self.timeout)
        except subprocess.TimeoutExpired:
            raise _timed_out(verb, self.timeout) from None
        return self._legible(error)

    @contextmanager
    def _started(
        self, arguments: Sequence[str], *, listens: bool
    ) -> Iterator[subprocess.Popen[bytes]]:
        command = (*self.options, *arguments)
        with self.start(command, self.environment, listens=listens) as process:
            try:
                yield process
            except BaseException:
                _end(process)
                raise

    def _legible(self, error: bytes) -> str:
        """Return what git said as one short line that holds no secret and steers no terminal."""
        lines = re.split(r"[\r\n]+", error.decode(errors="replace"))
        text = "; ".join(clean for line in lines if (clean := _printable(line).strip()))
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text if len(text) <= _LONGEST_ERROR else f"…{text[-_LONGEST_ERROR:]}"


def _pipe(stream: IO[bytes] | None) -> int:
    if stream is None:
        message = "the process was started without a pipe"
        raise CommandFailed(message)
    return stream.fileno()


def _printable(line: str) -> str:
    return "".join(character for character in line if character.isprintable())


def _timed_out(verb: str, timeout: float) -> TimedOut:
    return TimedOut(f"git {verb} did not go on within {timeout:g} seconds and was ended")


def _failed(verb: str, code: int, error: str) -> CommandFailed:
    return CommandFailed(f"git {verb} failed with exit code {code}: {error or 'it gave no reason'}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started: asked first, so that git removes its lock files."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    # The leader may be gone and its children not.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
