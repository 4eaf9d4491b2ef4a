"""The tests of this folder need helm, which is built once from its Go module."""

from __future__ import annotations

import pytest

from tests.testbed.tools import TestbedError, binary


@pytest.fixture(autouse=True, scope="session")
def _helm() -> None:
    try:
        binary("helm")
    except TestbedError as error:
        pytest.skip(f"helm: {error}")
