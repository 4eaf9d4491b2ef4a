"""`hookline config`: what holds, and why; secrets stay hidden."""

from __future__ import annotations

import json
from pathlib import Path

from tests.runner.cli.conftest import Invoke

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def test_every_setting_with_its_source(invoke: Invoke) -> None:
    Path("hookline.toml").write_text('log_level = "debug"\n')
    told = invoke("config", env={"HOOKLINE_LISTEN__PORT": "9000", "HOOKLINE_SECRET_KEY": KEY})
    lines = {line.split()[0]: line.split() for line in told.output.splitlines()}
    assert lines["listen.port"][1:4] == ["9000", "environment", "HOOKLINE_LISTEN__PORT"]
    assert lines["log_level"][1:3] == ["debug", "file"]
    assert lines["listen.host"][1:3] == ["127.0.0.1", "default"]
    assert lines["secret_key"][1] == "(hidden)"
    assert KEY not in told.output


def test_for_programs(invoke: Invoke) -> None:
    Path("other.toml").write_text("[listen]\nport = 9001\n")
    told = invoke("config", "--json", "--config", "other.toml")
    rows = {row["name"]: row for row in json.loads(told.stdout)["settings"]}
    assert rows["listen.port"]["value"] == "9001"
    assert rows["listen.port"]["source"] == "file other.toml key listen.port"
    assert set(rows["url"]) == {"name", "value", "source", "description", "secret"}


def test_a_file_that_is_not_there(invoke: Invoke) -> None:
    told = invoke("config", "--config", "nosuch.toml")
    assert (told.exit_code, "there is no file nosuch.toml" in told.stderr) == (3, True)
