from __future__ import annotations

from dataclasses import replace

from runner.database import commands, runs
from runner.database.connection import Database
from runner.database.words import CommandKind
from tests.runner.database.samples import NOW, a_claimed_run, a_repository, a_run


def test_commands_wait_in_the_order_they_were_given(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
        cancel = commands.add(tx, run.id, CommandKind.CANCEL, {}, "ada", NOW)
        rerun = commands.add(tx, run.id, CommandKind.RERUN, {"mode": "failed"}, "bob", NOW - 5)
        assert commands.pending(tx, run.id) == [cancel, rerun]
        commands.done(tx, cancel.id, NOW + 1)
        assert commands.pending(tx, run.id) == [rerun]
        commands.done(tx, rerun.id, NOW + 2, "nothing failed")
        assert commands.pending(tx, run.id) == []
        assert commands.of(tx, run.id) == [
            replace(cancel, done_at=NOW + 1),
            replace(rerun, done_at=NOW + 2, refused="nothing failed"),
        ]


def test_an_owner_sees_the_commands_of_what_it_holds(database: Database) -> None:
    with database.write() as tx:
        held = a_claimed_run(tx, "me")
        free = a_run(tx, a_repository(tx, "acme/other"))
        mine = commands.add(tx, held.id, CommandKind.CANCEL, {}, "ada", NOW)
        commands.add(tx, free.id, CommandKind.CANCEL, {}, "ada", NOW)
        done = commands.add(tx, held.id, CommandKind.CANCEL, {}, "ada", NOW)
        commands.done(tx, done.id, NOW)
        assert commands.held_by(tx, "me") == [mine]
        assert commands.held_by(tx, "you") == []


def test_a_command_makes_an_ended_run_wanted(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
        runs.settle(tx, run.id, 1)
        commands.add(tx, run.id, CommandKind.RERUN, {}, "ada", NOW)
        again = runs.find(tx, run.id)
    assert again is not None
    assert again.wanted
