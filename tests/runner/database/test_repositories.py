from __future__ import annotations

import pytest

from runner.database import hooks, repositories, runs
from runner.database.connection import Database
from runner.database.errors import NameTaken
from runner.database.words import Visibility
from tests.runner.database.samples import NOW, a_repository, a_run


def test_a_repository_is_found_by_id_and_name(database: Database) -> None:
    with database.write() as tx:
        added = repositories.add(
            tx,
            name="acme/größe",
            forge="gitea",
            clone_url="https://git/acme.git",
            at=NOW,
            api_url="https://git/api",
            web_url="https://git/acme",
            token="sealed",
            default_branch="trunk",
            visibility=Visibility.PUBLIC,
        )
    with database.read() as tx:
        assert repositories.find(tx, added.id) == added
        assert repositories.named(tx, "acme/größe") == added
        assert repositories.find(tx, added.id + 1) is None
        assert repositories.named(tx, "acme") is None
    assert added.visibility is Visibility.PUBLIC
    assert added.next_number == 1
    assert "sealed" not in repr(added)
    assert added.badge_key not in repr(added)


def test_a_name_is_given_once(database: Database) -> None:
    with database.write() as tx:
        a_repository(tx)
        other = a_repository(tx, "acme/other")
    with pytest.raises(NameTaken, match="acme/demo"), database.write() as tx:
        a_repository(tx)
    with pytest.raises(NameTaken, match="acme/demo"), database.write() as tx:
        repositories.change(tx, other.id, name="acme/demo")
    with database.read() as tx:
        names = [repository.name for repository in repositories.listing(tx)]
    assert names == ["acme/demo", "acme/other"]


def test_what_is_named_changes_and_no_more(database: Database) -> None:
    with database.write() as tx:
        before = a_repository(tx)
        repositories.change(tx, before.id, visibility=Visibility.PUBLIC, token="new")
        after = repositories.find(tx, before.id)
    assert after is not None
    assert (after.visibility, after.token) == (Visibility.PUBLIC, "new")
    assert (after.name, after.badge_key) == (before.name, before.badge_key)


def test_numbers_count_up_by_repository(database: Database) -> None:
    with database.write() as tx:
        one, two = a_repository(tx), a_repository(tx, "acme/other")
        repositories.lock(tx, one.id)
        assert [repositories.take_number(tx, one.id) for _ in range(3)] == [1, 2, 3]
        assert repositories.take_number(tx, two.id) == 1


def test_a_removed_repository_takes_its_own_along(database: Database) -> None:
    with database.write() as tx:
        gone, stays = a_repository(tx), a_repository(tx, "acme/other")
        run, other = a_run(tx, gone), a_run(tx, stays)
        hooks.add(tx, hook_id="h", repository_id=gone.id, forge="git", secrets=("s",), at=NOW)
        repositories.remove(tx, gone.id)
        assert runs.find(tx, run.id) is None
        assert runs.find(tx, other.id) is not None
        assert hooks.find(tx, "h") is None
        assert a_repository(tx).id not in (gone.id, stays.id)
