"""The pages are true: what is made from the code is fresh, and every word of the field is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines import loader, reference
from pipelines.functions import SIGNATURES
from pipelines.states import Cause, RunStatus, State
from runner import documentation

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", documentation.PARTS)
def test_what_is_made_from_the_code_is_fresh(page: str) -> None:
    text = (DOCS / page).read_text()
    assert documentation.filled(page, text) == text, "run `make docs`"


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(LookupError, match="no place for keys"):
        documentation.filled("ci-yaml.md", "nothing here")


def test_every_key_stands_in_the_reference() -> None:
    text = (DOCS / "ci-yaml.md").read_text()
    assert [key for key in reference.key_names() if f"| `{key}` |" not in text] == []


def test_every_function_is_explained() -> None:
    text = (DOCS / "ci-yaml.md").read_text()
    assert [name for name in SIGNATURES if f"`{name}(" not in text] == []


@pytest.mark.parametrize("words", [State, RunStatus, Cause])
def test_every_state_status_and_cause_is_explained(
    words: type[State | RunStatus | Cause],
) -> None:
    text = (DOCS / "semantics.md").read_text()
    assert [word for word in words if word and f"`{word}`" not in text] == []


def pages() -> list[Path]:
    return [*DOCS.glob("*.md"), DOCS.parent / "README.md"]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_pipeline_in_the_pages_can_be_read(page: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
        if "steps:" in block:
            assert loader.load(block).steps


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target
