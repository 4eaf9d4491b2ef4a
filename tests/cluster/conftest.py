"""The cluster that all tests of this folder share, and a namespace of its own for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster import Testbed, shared_testbed, why_not


@pytest.fixture(scope="session")
def cluster() -> Iterator[Testbed]:
    """The testbed of this session."""
    if reason := why_not():
        pytest.skip(f"cluster: {reason}")
    with shared_testbed() as testbed:
        yield testbed


@pytest.fixture
def testbed(cluster: Testbed) -> Iterator[Testbed]:
    """The testbed in a namespace of the test's own."""
    with cluster.fresh_namespace() as testbed:
        yield testbed
