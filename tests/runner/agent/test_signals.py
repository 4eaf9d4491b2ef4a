from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator

import pytest

from runner.agent.signals import Signals, Stopped


@pytest.fixture
def signals() -> Iterator[Signals]:
    heard = Signals()
    yield heard
    heard.close()


def readable(signals: Signals) -> bool:
    return bool(select.select([signals], [], [], 0)[0])


def test_a_signal_wakes_whoever_waits_until_it_is_cleared(signals: Signals) -> None:
    assert not readable(signals)
    os.kill(os.getpid(), signal.SIGCHLD)
    assert readable(signals)
    signals.clear()
    signals.clear()
    assert not readable(signals)
    assert not signals.stopped


def test_sigterm_asks_for_the_end(signals: Signals) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.stopped
    assert readable(signals)


def test_it_interrupts_only_where_that_is_wanted(signals: Signals) -> None:
    with pytest.raises(Stopped), signals.interrupting():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signals.stopped
    os.kill(os.getpid(), signal.SIGTERM)


def test_an_end_asked_for_before_interrupts_at_once(signals: Signals) -> None:
    signals.stop()
    with pytest.raises(Stopped), signals.interrupting():
        pytest.fail("went on")


def test_a_block_that_is_left_is_not_interrupted_any_more(signals: Signals) -> None:
    with signals.interrupting():
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.stopped


def test_closing_gives_the_signals_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGCHLD)
    Signals().close()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGCHLD)) == before
