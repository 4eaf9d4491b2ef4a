"""Where the engine's slow work is done: git, snapshots and executors, beside its loop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

Job = Callable[[], None]


class Pool(Protocol):
    """Does jobs, at once or later, in any order; a job reports back by itself and never raises."""

    def submit(self, job: Job) -> None:
        """Have a job done."""

    def close(self) -> None:
        """Take no more jobs, and wait for those under way."""


class ThreadPool:
    """Does jobs in a number of threads."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hookline-work")

    def submit(self, job: Job) -> None:
        """Have a job done by the next free thread."""
        self._threads.submit(job)

    def close(self) -> None:
        """Drop the jobs that have not begun, and wait for the others."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class InlinePool:
    """Does every job at once, where it is submitted: the twin for tests, in one fixed order."""

    def submit(self, job: Job) -> None:
        """Do a job."""
        job()

    def close(self) -> None:
        """Nothing is under way."""
