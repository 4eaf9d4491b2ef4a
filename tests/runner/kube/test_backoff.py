"""The waits between two tries."""

from __future__ import annotations

from runner.kube.backoff import Backoff


def test_it_grows_up_to_a_bound_and_begins_anew() -> None:
    backoff = Backoff(0.5, 3.0, jitter=lambda: 1.0)
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.next() == 0.5


def test_the_wait_is_anywhere_below_the_bound() -> None:
    draws = iter((0.0, 0.25))
    backoff = Backoff(1.0, 8.0, jitter=lambda: next(draws))
    assert [backoff.next(), backoff.next()] == [0.0, 0.5]


def test_what_a_server_asks_for_is_kept_within_reason() -> None:
    backoff = Backoff(1.0, 4.0, jitter=lambda: 0.5)
    assert backoff.next(at_least=2.0) == 2.5
    assert backoff.next(at_least=3600.0) == 9.0
