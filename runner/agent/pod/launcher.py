"""The agent's side of the FIFOs to the launcher, which runs the step in its own container."""

from __future__ import annotations

import fcntl
import os
import select
from collections.abc import Mapping, Sequence
from contextlib import suppress

from runner.agent.errors import CommandError

LARGEST_ORDER = 4 * 1024 * 1024
# No line of the launcher's is longer; the step could write there too, and must not fill memory.
_LONGEST_LINE = 4096
# Bytes that the step may be ahead of the agent, where that many are allowed.
PIPE = 1024 * 1024
_F_SETPIPE_SZ = 1031  # fcntl(2), Linux only


class Launcher:
    """What was heard from the launcher so far, and the way to tell it something.

    `ready` when it waits for its order; `refusal` is what kept the command from starting; `end` the
    command's exit code, or minus its signal, and how many processes the want of memory killed;
    `gone` when nobody is left who could say anything.
    """

    def __init__(self, control: str, program: str) -> None:
        """Make the FIFOs, then put the launcher's program beside them; raise `OSError`.

        In this order, because a launcher that is there is started.
        """
        self.ready = False
        self.refusal: OSError | None = None
        self.end: tuple[int, int] | None = None
        self.gone = False
        self._heard = b""
        self._go = -1
        self._go_path = f"{control}/go"
        for name in ("go", "end", "log"):
            os.mkfifo(f"{control}/{name}", 0o600)
        self.end_fifo = os.open(f"{control}/end", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        # Open for writing too, the log never seems to end while the step may still write.
        self.log_fifo = os.open(f"{control}/log", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(OSError):
            fcntl.fcntl(self.log_fifo, _F_SETPIPE_SZ, PIPE)
        _install(program, f"{control}/launcher")

    def listen(self) -> None:
        """Take in what there is on `end`; to be called when `poll` says that there is something."""
        data = os.read(self.end_fifo, _LONGEST_LINE)
        if not data:
            self.gone = True
        *lines, rest = (self._heard + data).split(b"\n")
        self._heard = rest[-_LONGEST_LINE:]
        for line in lines:
            self._understand(line.split(b" "))

    def wait(self) -> None:
        """Return when the launcher is ready, or gone; it may be ready and gone since."""
        poll = select.poll()
        poll.register(self.end_fifo, select.POLLIN)
        while not self.gone and poll.poll(0 if self.ready else None):
            self.listen()

    def order(self, order: bytes) -> bool:
        """Tell a launcher that is ready what to run; return False if it cannot have heard it."""
        try:
            self._go = os.open(self._go_path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.set_blocking(self._go, True)
            while order:
                order = order[os.write(self._go, order) :]
        except OSError:
            return False
        return True

    def ask(self, letter: bytes) -> None:
        """Ask for `T`, SIGTERM to the step, or `K`, SIGKILL; one that is gone does nothing."""
        with suppress(OSError):
            os.write(self._go, letter)

    def leave(self) -> None:
        """Let go of the launcher: if the step still runs, this is its end."""
        if self._go >= 0:
            os.close(self._go)
            self._go = -1

    def _understand(self, words: list[bytes]) -> None:
        """Take note of a line; what is none of the launcher's means nothing."""
        with suppress(ValueError, OverflowError):
            match words:
                case [b"H"]:
                    self.ready = True
                case [b"F", number]:
                    self.refusal = OSError(int(number), os.strerror(int(number)))
                case [b"E", status, kills]:
                    self.end = self.end or (os.waitstatus_to_exitcode(int(status)), int(kills))
                case _:
                    pass


def compose(directory: str, arguments: Sequence[str], variables: Mapping[str, str]) -> bytes:
    """Return what to run as the launcher reads it; raise `CommandError` for what it cannot be."""
    if not arguments:
        raise CommandError("the step has no command")
    texts = [directory, *arguments, *(f"{name}={value}" for name, value in variables.items())]
    try:
        parts = [text.encode("utf-8", "surrogateescape") for text in texts]
    except UnicodeEncodeError as error:
        raise CommandError.of(arguments[0], ValueError("a text in it is no UTF-8")) from error
    if any(b"\0" in part for part in parts):
        raise CommandError.of(arguments[0], ValueError("there is a NUL in an argument or variable"))
    body = b"".join(part + b"\0" for part in parts)
    if len(body) > LARGEST_ORDER:
        size = f"arguments and variables are larger than {LARGEST_ORDER >> 20} MiB"
        raise CommandError.of(arguments[0], ValueError(size))
    return b"run %d %d %d\n%b" % (len(body), len(arguments), len(variables), body)


def _install(program: str, place: str) -> None:
    """Copy a program; at its place it is whole and can be executed."""
    with open(program, "rb") as source:
        data = source.read()
    draft = place + ".new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o700)
    with open(descriptor, "wb") as target:
        target.write(data)
        os.fchmod(descriptor, 0o555)
    os.rename(draft, place)  # noqa: PTH104 (pathlib would have to be imported)
