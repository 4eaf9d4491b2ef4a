from __future__ import annotations

from signal import SIGKILL, SIGSEGV, SIGTERM

import pytest

from pipelines.states import Cause, Outcome
from runner.agent.verdict import CANCELLED, TIMEOUT, Ending, duration, judge


@pytest.mark.parametrize(
    ("ending", "outcome", "cause", "exit_code", "message"),
    [
        (Ending(0), Outcome.SUCCESS, Cause.NONE, 0, ""),
        (Ending(3), Outcome.FAILURE, Cause.EXIT_CODE, 3, "exit code 3"),
        (Ending(127), Outcome.FAILURE, Cause.EXIT_CODE, 127, "exit code 127"),
        (Ending(-SIGSEGV), Outcome.FAILURE, Cause.SIGNAL, None, "ended by SIGSEGV"),
        (
            Ending(-SIGKILL),
            Outcome.FAILURE,
            Cause.SIGNAL,
            None,
            "ended by SIGKILL; the system may have run out of memory",
        ),
        (Ending(-250), Outcome.FAILURE, Cause.SIGNAL, None, "ended by signal 250"),
        (
            Ending(-SIGTERM, TIMEOUT),
            Outcome.FAILURE,
            Cause.TIMEOUT,
            None,
            "ran longer than 30m",
        ),
        (Ending(0, TIMEOUT), Outcome.FAILURE, Cause.TIMEOUT, 0, "ran longer than 30m"),
        (Ending(-SIGTERM, CANCELLED), Outcome.CANCELLED, Cause.CANCELLED, None, "stopped"),
        (Ending(7, CANCELLED), Outcome.CANCELLED, Cause.CANCELLED, 7, "stopped"),
    ],
)
def test_what_an_ending_means(
    ending: Ending, outcome: Outcome, cause: Cause, exit_code: int | None, message: str
) -> None:
    verdict = judge(ending, 1800)
    assert (verdict.outcome, verdict.cause) == (outcome, cause)
    assert (verdict.exit_code, verdict.message) == (exit_code, message)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "0.5s"),
        (1.25, "1.25s"),
        (45, "45s"),
        (60, "1m"),
        (90.0, "1m30s"),
        (1800, "30m"),
        (3600, "1h"),
        (5400, "1h30m"),
        (100000, "27h46m40s"),
    ],
)
def test_how_long_a_time_is_called(seconds: float, text: str) -> None:
    assert duration(seconds) == text
