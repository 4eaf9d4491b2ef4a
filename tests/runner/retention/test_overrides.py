from __future__ import annotations

import pytest

from runner.retention.overrides import parse_override

DAY = 86_400.0


def test_an_override_names_repositories_and_two_times() -> None:
    found = parse_override(" acme/* = 7d/30d ")
    assert (found.glob, found.workspaces, found.runs) == ("acme/*", 7 * DAY, 30 * DAY)
    assert found.fits("acme/demo")
    assert not found.fits("Acme/demo")
    assert not found.fits("other/demo")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("acme/demo", "is not like"),
        ("acme/demo=7d", "is not like"),
        ("=7d/30d", "is not like"),
        ("acme/demo=7 days/30d", "no unit of time"),
        ("acme/demo=/30d", "is no duration"),
        ("acme/demo=30d/7d", "keeps workspaces longer than their runs"),
    ],
)
def test_what_is_none_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_override(text)
