from __future__ import annotations

from tests.runner.executors.bench import bench_fixture

__all__ = ["bench_fixture"]
