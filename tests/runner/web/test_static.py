from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

import runner.web

FOLDER = Path(runner.web.__file__).parent


@pytest.mark.parametrize(
    ("name", "kind"),
    [("style.css", "text/css"), ("run.js", "javascript"), ("icon.svg", "image/svg+xml")],
)
def test_a_file_is_fetched_once(client: TestClient, name: str, kind: str) -> None:
    answer = client.get(f"/static/{name}")
    assert kind in answer.headers["content-type"]
    assert answer.headers["cache-control"] == "no-cache"
    again = client.get(f"/static/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["../pages.py", "%2e%2e/pages.py", "..%2fpages.py", "", "%00"])
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(f"/static/{path}").status_code == 404


def test_templates_hold_nothing_that_the_policy_forbids() -> None:
    for path in (FOLDER / "templates").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "<style" not in text
        assert "style=" not in text
        assert "|safe" not in text
        assert " on" not in "".join(part.split(">")[0] for part in text.split("<")).replace(
            " one", ""
        ).replace(" only", "")


def test_every_icon_that_is_used_is_drawn() -> None:
    from pipelines.states import RunStatus, State

    icons = (FOLDER / "templates" / "icons.html").read_text(encoding="utf-8")
    for word in [*State, *RunStatus]:
        assert f'id="i-{word}"' in icons


def test_every_colour_has_a_class() -> None:
    style = (FOLDER / "static" / "style.css").read_text(encoding="utf-8")
    for number in range(16):
        assert f".fg{number} {{" in style
        assert f".bg{number} {{" in style
