from __future__ import annotations

from runner.database import hooks
from runner.database.connection import Database
from tests.runner.database.samples import NOW, a_repository


def test_a_hook_knows_its_repository(database: Database) -> None:
    hook_id = hooks.new_id()
    with database.write() as tx:
        repository = a_repository(tx)
        hooks.add(
            tx,
            hook_id=hook_id,
            repository_id=repository.id,
            forge="git",
            secrets=("a", "b"),
            at=NOW,
        )
        found = hooks.find(tx, hook_id)
        assert hooks.find(tx, hook_id[:-1]) is None
        assert hooks.of_repository(tx, repository.id) == [found]
        assert hooks.of_repository(tx, repository.id + 1) == []
    assert found is not None
    assert (found.repository, found.repository_id) == ("acme/demo", repository.id)
    assert (found.forge, found.secrets, found.created_at) == ("git", ("a", "b"), NOW)
    assert "'a'" not in repr(found)


def test_secrets_are_replaced_and_hooks_removed(database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        for number, name in enumerate(("one", "two")):
            hooks.add(
                tx,
                hook_id=name,
                repository_id=repository.id,
                forge="git",
                secrets=("a",),
                at=NOW + number,
            )
        hooks.set_secrets(tx, "one", ("b", "c"))
        hooks.remove(tx, "two")
        (left,) = hooks.of_repository(tx, repository.id)
    assert (left.id, left.secrets) == ("one", ("b", "c"))
