from __future__ import annotations

from runner.database import repositories, secrets
from runner.database.connection import Database
from runner.database.secrets import StoredSecret
from tests.runner.database.samples import NOW, a_repository


def test_a_secret_is_written_replaced_and_removed(database: Database) -> None:
    with database.write() as tx:
        here = a_repository(tx).id
        assert secrets.put(tx, here, "KEY", sealed="v1.a", by="ann", at=NOW)
        assert not secrets.put(tx, here, "KEY", sealed="v1.b", by="bob", at=NOW + 1)
        assert secrets.put(tx, here, "A", sealed="v1.c", by="ann", at=NOW)
        assert secrets.listing(tx, here) == [
            StoredSecret(name="A", set_at=NOW, set_by="ann"),
            StoredSecret(name="KEY", set_at=NOW + 1, set_by="bob"),
        ]
        assert secrets.sealed(tx, here, ["KEY", "OTHER"]) == {"KEY": "v1.b"}
        assert secrets.remove(tx, here, "KEY")
        assert not secrets.remove(tx, here, "KEY")
        assert [secret.name for secret in secrets.listing(tx, here)] == ["A"]


def test_secrets_belong_to_one_repository_and_go_with_it(database: Database) -> None:
    with database.write() as tx:
        here = a_repository(tx).id
        there = a_repository(tx, "acme/other").id
        secrets.put(tx, here, "KEY", sealed="v1.a", by="ann", at=NOW)
        assert secrets.listing(tx, there) == []
        assert secrets.sealed(tx, there, ["KEY"]) == {}
        assert not secrets.remove(tx, there, "KEY")
        repositories.remove(tx, here)
        assert secrets.listing(tx, here) == []
