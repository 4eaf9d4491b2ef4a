from __future__ import annotations

import pytest
from pydantic import ValidationError

from runner.retention.policy import Policy, policy_of
from runner.settings_model import Retention

DAY = 86_400.0


def test_the_settings_hold_where_no_override_does() -> None:
    assert policy_of(Retention(), "acme/demo") == Policy(
        workspaces=30 * DAY, runs=90 * DAY, keep=3, branches=365 * DAY
    )


def test_the_first_override_that_fits_holds() -> None:
    settings = Retention.model_validate(
        {"repositories": "acme/big=1d/2d, acme/*=7d/30d, *=3d/4d", "keep": "5"}
    )
    found = [policy_of(settings, name) for name in ("acme/big", "acme/demo", "other")]
    assert [(one.workspaces, one.runs) for one in found] == [
        (1 * DAY, 2 * DAY),
        (7 * DAY, 30 * DAY),
        (3 * DAY, 4 * DAY),
    ]
    assert {one.keep for one in found} == {5}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"repositories": "acme/demo=7d"}, "is not like"),
        ({"workspaces": "30d", "runs": "29d"}, "is less than retention.workspaces"),
        ({"grace": "1h"}, "greater than or equal to 7200"),
        ({"keep": "-1"}, "greater than or equal to 0"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Retention.model_validate(values)
