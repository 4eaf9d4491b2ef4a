"""What holds for every test: what had to run here and did not is a failure, and no clock decides."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# By itself Hypothesis fails a test of which one example takes longer than 200 ms, or whose examples
# are slow to draw: on a busy machine that says nothing.
settings.register_profile(
    "unhurried", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")

REQUIRED = os.environ.get("HOOKLINE_TEST_REQUIRE") == "all"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the developer has set for Hookline itself out of the tests."""
    for name in list(os.environ):
        if name.startswith("HOOKLINE_") and not name.startswith("HOOKLINE_TEST_"):
            monkeypatch.delenv(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if REQUIRED and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but must run here: {report.longrepr}"
    return report  # type: ignore[return-value]
