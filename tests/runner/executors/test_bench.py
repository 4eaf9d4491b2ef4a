from __future__ import annotations

from tests.runner.executors.bench import Bench, alive
from tests.support.agents import end_agents

STUBBORN = "trap : TERM; echo $$; echo ready; while :; do sleep 0.05; done"


def test_who_lives_is_asked_to_end(bench: Bench) -> None:
    bench.run()
    bench.settle()
    order = bench.start_and_see("echo ready; sleep 300")
    agent = bench.agent(order)
    assert end_agents(bench.root) == [bench.folder(order).path]
    bench.settle()
    assert not alive(agent)
    assert end_agents(bench.root) == []


def test_who_will_not_is_killed_with_all_it_runs(bench: Bench) -> None:
    order = bench.start_and_see(STUBBORN, grace=300.0)
    agent, shell = bench.agent(order), int(bench.text(order)[0])
    end_agents(bench.root, grace=0.05)
    bench.settle()
    assert not alive(agent)
    assert not alive(shell)


def test_an_order_that_nobody_started_through_the_bench_ends_with_it(bench: Bench) -> None:
    order = bench.order("sleep 300")
    bench.new_executor().start(order)
    bench.close()
    assert end_agents(bench.root) == []
    assert bench.folder(order).read_result() is not None


def test_where_nothing_ran_there_is_nobody(bench: Bench) -> None:
    assert end_agents(bench.root) == []
