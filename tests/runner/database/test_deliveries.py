from __future__ import annotations

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from runner.database import deliveries, hooks
from runner.database.connection import Database
from runner.database.deliveries import REFUSED_KEPT, Change, StoredDelivery, bounded
from runner.database.identifiers import random_id
from runner.database.repositories import Repository
from runner.database.words import DeliveryOutcome
from tests.runner.database.samples import COMMIT, NOW, a_repository, a_run


def a_hook(tx: Connection, repository: Repository, name: str = "h") -> str:
    hooks.add(tx, hook_id=name, repository_id=repository.id, forge="git", secrets=("s",), at=NOW)
    return name


def a_stored(tx: Connection, hook: str, forge_id: str, at: float = NOW) -> StoredDelivery:
    delivery = StoredDelivery(
        id=random_id(),
        hook_id=hook,
        forge_id=forge_id,
        event="push",
        received_at=at,
        outcome=DeliveryOutcome.ACCEPTED,
        body_digest="d" * 64,
    )
    deliveries.add(tx, delivery)
    return delivery


def test_a_delivery_is_found_by_its_forge_id_on_its_hook(database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        one, two = a_hook(tx, repository, "one"), a_hook(tx, repository, "two")
        stored = a_stored(tx, one, "id")
        assert deliveries.told(tx, one, "id") == stored
        assert deliveries.told(tx, two, "id") is None
        assert deliveries.find(tx, stored.id) == stored
        assert deliveries.find(tx, "other") is None
        a_stored(tx, two, "id")


@pytest.mark.parametrize("forge_id", ["id", "long" * 1000])
def test_a_forge_id_is_kept_once(forge_id: str, database: Database) -> None:
    with database.write() as tx:
        hook = a_hook(tx, a_repository(tx))
        a_stored(tx, hook, forge_id)
        assert deliveries.told(tx, hook, forge_id) is not None
        assert deliveries.told(tx, hook, forge_id + "x") is None
    with pytest.raises(IntegrityError), database.write() as tx:
        a_stored(tx, hook, forge_id)


def test_a_key_fits_an_index() -> None:
    assert bounded("x" * 200) == "x" * 200
    assert len(bounded("ü" * 101)) == len("sha256:") + 64
    assert bounded("x" * 201) != bounded("x" * 202)
    assert bounded("\ud800" * 300).startswith("sha256:")


def test_changes_keep_their_order_and_outlive_their_run(database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        stored = a_stored(tx, a_hook(tx, repository), "id")
        run = a_run(tx, repository)
        made = Change(delivery_id=stored.id, position=1, ref="b", commit=COMMIT, run_id=run.id)
        none = Change(delivery_id=stored.id, position=0, ref="a", commit=COMMIT, reason="why")
        deliveries.add_change(tx, made)
        deliveries.add_change(tx, none)
        assert deliveries.changes_of(tx, stored.id) == [none, made]
        assert deliveries.changes_of(tx, "other") == []


def test_an_outcome_is_written(database: Database) -> None:
    with database.write() as tx:
        stored = a_stored(tx, a_hook(tx, a_repository(tx)), "id")
        deliveries.set_outcome(tx, stored.id, DeliveryOutcome.IGNORED, "nothing to do")
        found = deliveries.find(tx, stored.id)
    assert found is not None
    assert (found.outcome, found.reason) == (DeliveryOutcome.IGNORED, "nothing to do")


def test_pages_go_back_in_time_without_a_gap(database: Database) -> None:
    with database.write() as tx:
        repository, other = a_repository(tx), a_repository(tx, "acme/other")
        hook = a_hook(tx, repository)
        a_stored(tx, a_hook(tx, other, "o"), "id")
        # Three of each moment, so that pages end between equals.
        stored = {a_stored(tx, hook, f"id-{n}", NOW + n // 3).id for n in range(12)}
        pages: list[list[StoredDelivery]] = [deliveries.page(tx, repository.id, limit=5)]
        while pages[-1]:
            pages.append(deliveries.page(tx, repository.id, pages[-1][-1], limit=5))
    seen = [delivery for page in pages for delivery in page]
    assert [len(page) for page in pages] == [5, 5, 2, 0]
    assert {delivery.id for delivery in seen} == stored
    times = [delivery.received_at for delivery in seen]
    assert times == sorted(times, reverse=True)


def test_refused_deliveries_do_not_grow_without_end(database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        hook = a_hook(tx, repository)
        kept = a_stored(tx, hook, "id")
        for number in range(REFUSED_KEPT + 3):
            deliveries.refuse(tx, hook, "signature-wrong", NOW + 1 + number)
        found = deliveries.page(tx, repository.id, limit=1000)
    assert len(found) == REFUSED_KEPT + 1
    assert found[-1] == kept
    assert found[-2].received_at == NOW + 4
    assert (found[0].outcome, found[0].forge_id) == (DeliveryOutcome.REFUSED, None)
