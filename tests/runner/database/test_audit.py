from __future__ import annotations

from runner.database import audit
from runner.database.connection import Database
from tests.runner.database.samples import NOW


def test_deeds_are_paged_newest_first(database: Database) -> None:
    with database.write() as tx:
        for number in range(5):
            audit.add(
                tx, at=NOW, who="token ab", what="run.cancel", about={"run": str(number), "ü": None}
            )
        newest = audit.page(tx, limit=2)
        rest = audit.page(tx, before=newest[-1].id)
    assert [deed.about["run"] for deed in (*newest, *rest)] == ["4", "3", "2", "1", "0"]
    assert (rest[0].who, rest[0].what, rest[0].at) == ("token ab", "run.cancel", NOW)
