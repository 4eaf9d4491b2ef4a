"""Reads what a step wrote to the file that `CI_OUTPUT` names.

The file holds lines `name=value`, and blocks for values of several lines: `name<<DELIMITER`, the
lines of the value, and a line that is the delimiter alone. Empty lines between them are passed
over. A name written twice has its last value.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.agent.errors import OutputError

LARGEST = 1024 * 1024

_NOT_PLAIN = "what CI_OUTPUT names is no longer a plain file"
_SINGLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_BLOCK = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)<<(.+)", re.DOTALL)


@dataclass(frozen=True)
class Outputs:
    """The declared outputs that a step wrote, by name, and what is wrong with what it wrote.

    `malformed` says why its file, or some of it, cannot be taken, `missing` what it declares and did not write,
    `warning` what it wrote and does not declare; each is empty if all is well.
    """

    values: dict[str, str]
    malformed: str = ""
    missing: str = ""
    warning: str = ""


def collect(path: Path, declared: Sequence[str]) -> Outputs:
    """Return what a step that declares some names wrote to its outputs file."""
    try:
        found = read(path)
    except OutputError as error:
        return Outputs({}, malformed=str(error))
    missing = [name for name in declared if name not in found]
    others = [name for name in found if name not in declared]
    return Outputs(
        {name: value for name, value in found.items() if name in declared},
        missing=f"did not write {_named(missing)} it declares" if missing else "",
        warning=f"wrote {_named(others)}, not declared in `outputs:`" if others else "",
    )


def withheld(outputs: Outputs, hides: Callable[[str], bool]) -> Outputs:
    """Return the outputs without those that hold a secret, as `hides` says.

    Outputs are shown, kept and handed to others: there is no place in them for a secret, and with
    a part of it masked they would be of no use.
    """
    refused = [name for name, value in outputs.values.items() if hides(value)]
    if not refused:
        return outputs
    values = {name: value for name, value in outputs.values.items() if name not in refused}
    reason = f"{_named(refused)} held a secret and {'were' if len(refused) > 1 else 'was'} not kept"
    cure = "name the secret in `secrets:` of the step that uses it"
    return replace(outputs, values=values, malformed=f"{reason}; {cure}")


def read(path: Path) -> dict[str, str]:
    """Return the outputs in a file, by name; a file that is gone holds none.

    Raise `OutputError` for what is no plain file, larger than 1 MiB, or does not parse.
    """
    try:
        # A step may have put anything in its place: a link is not followed, a FIFO not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OutputError(_NOT_PLAIN) from error
        message = f"the file of CI_OUTPUT cannot be read: {error.strerror}"
        raise OutputError(message) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OutputError(_NOT_PLAIN)
        with open(descriptor, "rb", closefd=False) as file:
            return parse(file.read(LARGEST + 1))
    finally:
        os.close(descriptor)


def parse(data: bytes) -> dict[str, str]:
    """Return the outputs that a file's bytes hold, by name; raise `OutputError` naming the line."""
    if len(data) > LARGEST:
        message = f"the outputs are larger than {LARGEST // 1024} KiB"
        raise OutputError(message)
    outputs: dict[str, str] = {}
    lines = enumerate(_decode(data).split("\n"), start=1)
    for number, line in lines:
        if single := _SINGLE.fullmatch(line):
            outputs[single[1]] = single[2]
        elif block := _BLOCK.fullmatch(line):
            outputs[block[1]] = _block(lines, block[2], number)
        elif line.strip():
            shown = line if len(line) <= 60 else line[:60] + "…"
            message = (
                f"line {number} of the outputs, {shown!r}, is neither name=value nor name<<END"
            )
            raise OutputError(message)
    return outputs


def _block(lines: Iterator[tuple[int, str]], delimiter: str, opened: int) -> str:
    value: list[str] = []
    for _, line in lines:
        if line == delimiter:
            return "\n".join(value)
        value.append(line)
    message = f"line {opened} of the outputs opens a block that no line {delimiter[:60]!r} closes"
    raise OutputError(message)


def _named(names: list[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names)
    return f"the output{'s' if len(names) > 1 else ''} {listed}"


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"line {line} of the outputs is not UTF-8"
        raise OutputError(message) from error
