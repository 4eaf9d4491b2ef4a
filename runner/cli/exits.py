"""How a command ends: every exit code, what it means, and which error leads to which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar

import click


class ExitCode(IntEnum):
    """What the shell is told."""

    OK = 0
    RUN_FAILED = 1
    USAGE = 2
    CONFIG = 3
    SERVER = 4
    INTERRUPTED = 130


MEANINGS: Mapping[ExitCode, str] = {
    ExitCode.OK: "All is well; of a run: it ended with `success` or `warning`.",
    ExitCode.RUN_FAILED: "The run failed, was cancelled by somebody else, or could not be run.",
    ExitCode.USAGE: "The command line cannot be used as given: an unknown option, or a path "
    "that is not what the command needs.",
    ExitCode.CONFIG: "A `.ci.yaml`, a setting, or what a setting leads to cannot be used.",
    ExitCode.SERVER: "The server cannot be reached, or refuses.",
    ExitCode.INTERRUPTED: "Interrupted with Ctrl-C.",
}


class Failure(click.ClickException):
    """The end of a command that could not do its work: a message and its cure.

    Failure
    ├── Unrunnable     1    a run that could not even begin
    ├── Unusable       2    a path or word that is not what the command needs
    ├── Misconfigured  3    a `.ci.yaml`, a setting, or what it leads to
    ├── Unserved       4    the server cannot be reached, or refuses
    └── Interrupted    130  Ctrl-C
    """

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(message)
        self.cure = cure

    def format_message(self) -> str:
        """Return what is printed after `Error:`."""
        return self.message + (f"\n{self.cure[:1].upper()}{self.cure[1:]}." if self.cure else "")


class Unrunnable(Failure):
    """A run that could not even begin."""

    exit_code: ClassVar[int] = ExitCode.RUN_FAILED


class Unusable(Failure):
    """A path or word that is not what the command needs."""

    exit_code: ClassVar[int] = ExitCode.USAGE


class Misconfigured(Failure):
    """A `.ci.yaml`, a setting, or what a setting leads to, that cannot be used."""

    exit_code: ClassVar[int] = ExitCode.CONFIG


class Unserved(Failure):
    """The server cannot be reached, or refuses."""

    exit_code: ClassVar[int] = ExitCode.SERVER


class Interrupted(Failure):
    """Somebody pressed Ctrl-C."""

    exit_code: ClassVar[int] = ExitCode.INTERRUPTED


# By name, since an error's class can only be met once its module was imported.
KINDS: Mapping[str, type[Failure]] = {
    "pipelines.errors.ConfigError": Misconfigured,
    "pipelines.errors.PlanError": Misconfigured,
    "runner.settings.SettingsError": Misconfigured,
    "runner.secrets.SecretError": Misconfigured,
    "runner.secret_values.SecretRefused": Unusable,
    "runner.database.errors.DatabaseError": Misconfigured,
    "runner.server.AlreadyRunning": Misconfigured,
    "runner.server.CannotListen": Misconfigured,
    "runner.server.DataUnusable": Misconfigured,
    "runner.git_errors.GitError": Unusable,
    "webhooks.errors.WebhookError": Unusable,
    "runner.client.ClientError": Unserved,
    "runner.workspace.errors.WorkspaceError": Unrunnable,
    "runner.objects.base.ObjectStoreError": Unrunnable,
    "runner.objects.s3_errors.S3Error": Misconfigured,
    "runner.objects.opening.StoreUnshared": Misconfigured,
    "runner.objects.opening.StoreUnsupported": Misconfigured,
    "runner.executors.base.ExecutorError": Unrunnable,
    "runner.executors.base.ExecutorUnusable": Misconfigured,
    "runner.retention.errors.RetentionError": Unrunnable,
}
"""The errors that a command may end with; any other is a mistake of ours and shown in full."""


def failure_of(error: Exception) -> Failure | None:
    """Return how an error ends the command; None for one that nothing foresaw."""
    for cls in type(error).__mro__:
        kind = KINDS.get(f"{cls.__module__}.{cls.__qualname__}")
        if kind is not None:
            cure = str(getattr(error, "cure", ""))
            return kind(_message(error), cure=cure)
    return None


def _message(error: Exception) -> str:
    if mistakes := getattr(error, "mistakes", ()):
        from runner.cli.mistakes import explained

        return "\n".join(line for mistake in mistakes for line in explained(mistake))
    return str(getattr(error, "message", "") or error)
