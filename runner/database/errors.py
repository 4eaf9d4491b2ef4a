"""What can go wrong with the database, as values the rest of Hookline can act on.

DatabaseError
├── DatabaseUrlError     the URL names no database that can be opened
├── DatabaseUnavailable  it cannot be reached or cannot carry out what was asked; worth another try
│   └── DatabaseBusy     others were writing, and trying again did not help
├── SchemaTooNew         a newer Hookline has written here
├── LeaseLost            the run belongs to somebody else by now
├── NameTaken            there is one of that name already
└── AttemptEnded         an attempt that has ended was to be ended differently
"""

from __future__ import annotations


class DatabaseError(Exception):
    """The root of what this package raises; `code` is stable and documented."""

    code = "database"


class DatabaseUrlError(DatabaseError):
    """A URL that names no database Hookline can open."""

    code = "database-url"


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached or cannot carry out what was asked; nothing was written."""

    code = "database-unavailable"


class DatabaseBusy(DatabaseUnavailable):
    """Another transaction was in the way; nothing was written, and the same may work now."""

    code = "database-busy"


class SchemaTooNew(DatabaseError):
    """The database was changed by a newer Hookline, which this one must not write to."""

    code = "schema-too-new"

    def __init__(self, found: str, known: str) -> None:
        self.found = found
        super().__init__(
            f"the database is at revision {found}, and this Hookline knows none after {known}; "
            "start the newer Hookline that changed it, or restore a backup from before"
        )


class LeaseLost(DatabaseError):
    """A write under an epoch that is over: another replica has the run, or the run is gone."""

    code = "lease-lost"

    def __init__(self, run_id: str, epoch: int) -> None:
        self.run_id = run_id
        self.epoch = epoch
        super().__init__(f"run {run_id} is no longer held under epoch {epoch}; nothing was written")


class NameTaken(DatabaseError):
    """There is one of that name already."""

    code = "name-taken"


class AttemptEnded(DatabaseError):
    """An attempt that has ended was to be written with another result."""

    code = "attempt-ended"
