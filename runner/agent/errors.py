"""What can go wrong in an attempt, as the agent tells it.

AgentError
├── ContainerLost  the step's container was gone before the step could be started
├── CommandError   the step's command cannot be started
├── GlobError      an artifact pattern that can match nothing
├── LogError       the step's log cannot be written
├── OrderError     what the agent was told to run makes no sense
└── OutputError    the step filled its outputs file badly
"""

from __future__ import annotations

import errno
import os


class AgentError(Exception):
    """The root of what the agent raises; `code` is stable and documented."""

    code = "agent"


class CommandError(AgentError):
    """The step's command cannot be started; the message names it and says why."""

    code = "agent-command"

    @classmethod
    def of(cls, program: str, error: OSError | ValueError) -> CommandError:
        """Return what it means that the system refused to start a program."""
        return cls(f"cannot start `{program}`: {_reason(error)}")


class ContainerLost(AgentError):
    """The step's container was gone before the step could be started."""

    code = "agent-container"

    def __init__(self) -> None:
        super().__init__("the step's container ended before the step started")


class GlobError(AgentError):
    """An artifact pattern that can match nothing; the message says what would be right."""

    code = "agent-glob"


class LogError(AgentError):
    """The step's log cannot be written, most often because the disk is full."""

    code = "agent-log"


class OrderError(AgentError):
    """What the agent was told to run makes no sense; the message names the field."""

    code = "agent-order"


class OutputError(AgentError):
    """The step filled its outputs file badly; the message names the line."""

    code = "agent-output"


def _reason(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such program, or what its first line names is missing"
        case PermissionError():
            return "it may not be run (is it a program, and executable?)"
        case OSError(errno=errno.E2BIG):
            return (
                f"{os.strerror(errno.E2BIG)}; one variable or argument of it has 128 KiB or more, or "
                "all together have more than a program can be given: put what is long into a file"
            )
        case OSError():
            return error.strerror or str(error)
        case _:
            return str(error)
