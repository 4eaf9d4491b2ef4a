"""Why a sweep cannot be done.

RetentionError
├── SweepUnderWay    another process sweeps with the same data folder
├── SweepStopped     the sweep was told to stop; the next one does the rest
└── StoreForeign     the object store holds much of which the database knows nothing
"""

from __future__ import annotations

from pathlib import Path


class RetentionError(Exception):
    """The root of what this package raises; `code` is stable and documented."""

    code = "retention"


class SweepUnderWay(RetentionError):
    """Another process sweeps with the same data folder."""

    code = "sweep-under-way"

    def __init__(self, path: Path) -> None:
        super().__init__(f"another sweep is under way (it holds {path}); wait for its end")


class SweepStopped(RetentionError):
    """The sweep was told to stop."""

    code = "sweep-stopped"

    def __init__(self) -> None:
        super().__init__("the sweep was told to stop; the next one does the rest")


class StoreForeign(RetentionError):
    """The object store holds snapshots, and the database knows of no run at all."""

    code = "store-foreign"

    def __init__(self) -> None:
        super().__init__(
            "the object store holds snapshots, but the database knows of no run: nothing is swept;"
            " check database_url and object_store, and empty the store by hand if it is outdated"
        )
