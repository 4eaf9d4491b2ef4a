"""The page about installing it: every value is told as it is, and every cause is explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.states import Cause
from tests.deploy.chart import CHART, ROOT, template

PAGES = ROOT / "docs" / "operate"
PAGE = (PAGES / "kubernetes.md").read_text()


def leaves(values: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield every value by its path, with its default as the page writes it."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", shown(value)


def shown(value: Any) -> str:
    match value:
        case "" | [] | {}:
            return "none"
        case [str(), *_]:
            return ", ".join(f"`{each}`" for each in value)
        case str():
            return f"`{value}`"
        case _:
            return f"`{json.dumps(value)}`"


def test_every_value_stands_in_the_table_with_its_default() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    part = PAGE.partition("| value |")[2].partition("\n## ")[0]
    table = dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \| ", part, re.MULTILINE))
    assert table == dict(leaves(values))


def test_the_example_of_values_can_be_installed(tmp_path: Path) -> None:
    blocks = re.findall(r"^ *```yaml\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
    (example,) = (block for block in blocks if "objectStore:" in block)
    path = tmp_path / "values.yaml"
    path.write_text(re.sub("^   ", "", example, flags=re.MULTILINE))
    assert "minio.example.com" in template(files=[path])


def test_every_cause_is_explained() -> None:
    rows = re.findall(r"^\| (`.*?) \| ", PAGE.partition("| cause |")[2], re.MULTILINE)
    told = {word for row in rows for word in re.findall(r"`([^`]+)`", row)}
    assert told == {str(cause) for cause in Cause if cause}


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings
