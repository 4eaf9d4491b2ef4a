"""Pools do every job they took, in threads or at once."""

from __future__ import annotations

import threading

import pytest

from runner.pool import InlinePool, Pool, ThreadPool


@pytest.mark.parametrize("pool", [ThreadPool(2), InlinePool()], ids=["threads", "inline"])
def test_jobs_are_done(pool: Pool) -> None:
    done = threading.Event()
    pool.submit(done.set)
    assert done.wait(10)
    pool.close()


def test_closing_waits_for_what_is_under_way() -> None:
    pool = ThreadPool(1)
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        go.wait(10)
        ended.set()

    pool.submit(job)
    assert begun.wait(10)
    threading.Timer(0.05, go.set).start()
    pool.close()
    assert ended.is_set()
