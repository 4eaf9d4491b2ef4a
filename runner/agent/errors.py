"""What can go wrong in an attempt, as the agent tells it.

AgentError
├── CommandError   the step's command cannot be started
├── GlobError      an artifact pattern that can match nothing
├── LogError       the step's log cannot be written
└── OutputError    the step filled its outputs file badly
"""

from __future__ import annotations


class AgentError(Exception):
    """The root of what the agent raises; `code` is stable and documented."""

    code = "agent"


class CommandError(AgentError):
    """The step's command cannot be started; the message names it and says why."""

    code = "agent-command"


class GlobError(AgentError):
    """An artifact pattern that can match nothing; the message says what would be right."""

    code = "agent-glob"


class LogError(AgentError):
    """The step's log cannot be written, most often because the disk is full."""

    code = "agent-log"


class OutputError(AgentError):
    """The step filled its outputs file badly; the message names the line."""

    code = "agent-output"
