"""Where the secrets of a local run come from."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from runner.cli.secret_option import given_secrets
from runner.secret_values import SecretRefused


def test_from_the_shell_or_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("two\nlines\n")
    (tmp_path / "line").write_text("hush\n")
    written = ("TOKEN", f"KEY={tmp_path}/key", f"LINE={tmp_path}/line")

    assert given_secrets(written, {"TOKEN": "t=ken", "OTHER": "x"}) == {
        "TOKEN": "t=ken",
        "KEY": "two\nlines\n",
        "LINE": "hush",
    }


def test_what_is_not_there_is_said_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="--secret TOKEN: this shell has no variable TOKEN"):
        given_secrets(("TOKEN",), {})
    with pytest.raises(click.UsageError, match=r"--secret KEY: .*nowhere cannot be read: No such"):
        given_secrets((f"KEY={tmp_path}/nowhere",), {})


def test_what_cannot_be_masked_is_no_secret() -> None:
    with pytest.raises(SecretRefused):
        given_secrets(("TOKEN",), {"TOKEN": "abc"})
