"""What a held run orders for its steps: secrets as they are then, services, resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import update

from pipelines.events import Trust
from pipelines.states import Cause
from runner.database import steps, tables
from runner.database.connection import Database
from runner.database.words import CommandKind
from runner.executors.base import AttemptId, Resources, Service
from runner.executors.scripts import fail
from runner.vault import Claimant, GivenVault
from tests.support.engines import Bench

TEXT = """
defaults: {resources: {cpu: 500m}}
steps:
  plain: {run: x}
  own:
    run: x
    needs: plain
    secrets: [KEY]
    resources: {memory: 1Gi, disk: 2Gi}
    services:
      db:
        image: "db:${{ event.branch }}"
        command: [serve, -v]
        env: {NAME: "${{ event.commit }}"}
        ready: "true"
        resources: {memory: 256Mi}
"""


@dataclass
class CountingVault:
    """A vault that remembers who asked for what."""

    vault: GivenVault
    asked: list[tuple[Claimant, tuple[str, ...]]] = field(default_factory=list)

    def open(self, claimant: Claimant, names: Sequence[str]) -> Mapping[str, str]:
        """Return the values of these names."""
        self.asked.append((claimant, tuple(names)))
        return self.vault.open(claimant, names)


@pytest.fixture
def vault() -> CountingVault:
    return CountingVault(GivenVault({"KEY": "one!"}))


@pytest.fixture
def bench(database: Database, tmp_path: Path, vault: CountingVault) -> Bench:
    return Bench(database, tmp_path, TEXT, vault=vault)


def test_a_step_is_ordered_with_all_that_it_finds_around_it(bench: Bench) -> None:
    run = bench.push()
    bench.settle()

    order = bench.world.orders[AttemptId(run, "own", 1)]
    assert order.secrets == {"KEY": "one!"}
    assert order.resources == Resources(cpu=0.5, memory=2**30, disk=2**31)
    assert order.services == (
        Service(
            name="db",
            image="db:main",
            command=("serve", "-v"),
            environment={"NAME": bench.run(run).commit},
            ready="true",
            resources=Resources(memory=2**28),
        ),
    )
    assert "one!" not in repr(order)


def test_nobody_is_asked_for_the_secrets_of_a_step_without_any(
    bench: Bench, vault: CountingVault
) -> None:
    run = bench.push()
    bench.settle()

    plain = bench.world.orders[AttemptId(run, "plain", 1)]
    assert (plain.secrets, plain.services) == ({}, ())
    claimant = Claimant(bench.repository.id, "acme/demo", Trust.TRUSTED)
    assert vault.asked == [(claimant, ("KEY",))]


def test_a_rerun_gets_the_secret_as_it_is_then(bench: Bench, vault: CountingVault) -> None:
    bench.world.script("own", fail(1))
    run = bench.push()
    bench.settle()
    vault.vault = GivenVault({"KEY": "two!"})
    bench.ask(run, CommandKind.RERUN, mode="failed")
    bench.settle()

    values = [bench.world.orders[AttemptId(run, "own", n)].secrets["KEY"] for n in (1, 2)]
    assert values == ["one!", "two!"]


def test_without_its_secret_a_step_ends_before_it_runs(bench: Bench, vault: CountingVault) -> None:
    vault.vault = GivenVault()
    run = bench.push()
    bench.settle()

    assert bench.states(run) == {"plain": "success", "own": "error"}
    assert bench.reasons(run)["own"] == "this run has no secret `KEY`: hookline run --secret KEY"
    assert AttemptId(run, "own", 1) not in bench.world.orders
    with bench.database.read() as tx:
        (own,) = [step for step in steps.of(tx, run) if step.name == "own"]
    assert (own.cause, own.attempt) == (Cause.CONFIG, 1)


def test_a_run_of_a_fork_stays_without_secrets_when_it_is_run_again(bench: Bench) -> None:
    run = bench.push()
    with bench.database.write() as tx:
        tx.execute(update(tables.runs).values(trust=Trust.UNTRUSTED))
    bench.settle()
    bench.ask(run, CommandKind.RERUN, mode="failed")
    bench.settle()

    assert bench.states(run)["own"] == "error"
    assert ("own", 2, "error") in bench.attempts(run)
    assert "pull requests from forks get no secrets" in bench.reasons(run)["own"]
    assert all(attempt.step != "own" for attempt in bench.world.orders)
