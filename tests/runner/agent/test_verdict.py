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
    ("ending", "cause", "exit_code", "message"),
    [
        (Ending(-SIGKILL, kills=1), Cause.OUT_OF_MEMORY, None, "out of memory"),
        (Ending(137, kills=1), Cause.OUT_OF_MEMORY, 137, "out of memory"),
        (Ending(2, kills=3), Cause.OUT_OF_MEMORY, 2, "out of memory"),
        (Ending(0, kills=1), Cause.NONE, 0, ""),
        (Ending(-SIGKILL, TIMEOUT, kills=1), Cause.TIMEOUT, None, "ran longer than 30m"),
        (Ending(-SIGKILL, CANCELLED, kills=1), Cause.CANCELLED, None, "stopped"),
    ],
)
def test_a_death_for_want_of_memory_is_told_whoever_passed_it_on(
    ending: Ending, cause: Cause, exit_code: int | None, message: str
) -> None:
    verdict = judge(ending, 1800)
    assert (verdict.cause, verdict.exit_code, verdict.message) == (cause, exit_code, message)


@pytest.mark.parametrize(
    ("memory", "told"),
    [(2**29, "512 MiB"), (3 * 2**29, "1.5 GiB"), (2**30, "1 GiB"), (10**6, "0.9537 MiB")],
)
def test_the_limit_of_the_memory_is_named_if_it_is_known(memory: int, told: str) -> None:
    verdict = judge(Ending(137, kills=1), 1800, memory)
    assert verdict.message == f"out of memory (the limit is {told})"


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
