"""The machines of a test, all of which must be valid when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from pipelines.plan import Plan
from tests.pipelines.driving import Driver, plan_of

MakeMachine: TypeAlias = Callable[[str | Plan], Driver]


@pytest.fixture
def machine() -> Iterator[MakeMachine]:
    """Make machines, of a plan or of the text of a file; each is validated at the end."""
    made: list[Driver] = []

    def make(source: str | Plan) -> Driver:
        made.append(Driver(plan_of(source) if isinstance(source, str) else source))
        return made[-1]

    yield make
    for driver in made:
        driver.machine.validate()
