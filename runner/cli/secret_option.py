"""The option that gives secrets to a local run: from a variable of this shell, or from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

secret_option = click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME[=FILE]",
    help="A secret that steps name: the variable NAME of this shell, or what FILE holds.",
)


def given_secrets(written: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return what NAME and NAME=FILE options say, by name.

    Raises UsageError for what is not there, and SecretRefused for what cannot be a secret.
    """
    from runner.secret_values import read_value

    return {
        name: read_value(_held(name, file if sign else None, environ))
        for name, sign, file in (text.partition("=") for text in written)
    }


def _held(name: str, file: str | None, environ: Mapping[str, str]) -> bytes:
    if file is not None:
        try:
            return Path(file).expanduser().read_bytes()
        except OSError as error:
            message = f"--secret {name}: {file} cannot be read: {error.strerror}"
            raise click.UsageError(message) from error
    if name not in environ:
        message = f"--secret {name}: this shell has no variable {name}; set it, or name a file"
        raise click.UsageError(f"{message}: --secret {name}=FILE")
    return environ[name].encode("utf-8", "surrogateescape")
