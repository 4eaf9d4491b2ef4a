from __future__ import annotations

from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from pipelines.states import Outcome, RunStatus, State
from runner.api.events import Pace
from runner.database.attempts import Attempt
from runner.database.repositories import remove
from runner.database.runs import Run
from runner.database.words import Visibility
from runner.executors.base import AttemptId
from runner.objects.base import ObjectStoreError
from tests.support.instances import sse
from tests.support.seeds import NOW, Instance, a_step

ODD = "test (image=debian/12, q=100%?#)"


@pytest.fixture
def run(instance: Instance) -> Run:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    steps = [
        a_step("build"),
        a_step(ODD),
        a_step("later", State.PENDING),
        a_step("go", State.RUNNING),
    ]
    return instance.run(repository, RunStatus.RUNNING, steps=steps)


def place(run: Run, step: str, tail: str = "") -> str:
    return f"/api/v1/runs/{run.id}/steps/{quote(step, safe='')}/log{tail}"


def test_a_log_is_served_as_text_that_nobody_runs(
    instance: Instance, client: TestClient, run: Run
) -> None:
    instance.log(run, "build", "<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "ü")
    answer = client.get(place(run, "build"))
    assert answer.text == "<script>alert(1)</script>\n\x1b[31mred\x1b[0m\nü\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_part_of_a_log_with_times(instance: Instance, client: TestClient, run: Run) -> None:
    instance.log(run, "build", "one", "two", "three", at=1_700_000_000.25)
    assert client.get(place(run, "build", "?from=2")).text == "two\nthree\n"
    answer = client.get(place(run, "build", "?from=3&timestamps=1"))
    assert answer.text == "2023-11-14T22:13:22.250Z three\n"
    assert client.get(place(run, "build", "?from=9")).text == ""


def test_a_time_that_no_calendar_has(instance: Instance, client: TestClient, run: Run) -> None:
    instance.log(run, "build", "x", at=1e300)
    assert client.get(place(run, "build", "?timestamps=1")).text == "1970-01-01T00:00:00.000Z x\n"


def test_a_name_may_hold_anything(instance: Instance, client: TestClient, run: Run) -> None:
    instance.log(run, ODD, "odd")
    assert client.get(place(run, ODD)).text == "odd\n"
    assert "odd" in client.get(place(run, ODD, "/stream")).text


def test_each_attempt_has_its_log(instance: Instance, client: TestClient, run: Run) -> None:
    ended = Attempt(run_id="", step="go", number=2, started_at=NOW)
    instance.attempt(run, ended)
    instance.log(run, "go", "first")
    instance.log(run, "go", "second", number=2)
    assert client.get(place(run, "go")).text == "second\n"
    assert client.get(place(run, "go", "?attempt=1")).text == "first\n"
    answer = client.get(place(run, "go", "?attempt=3"))
    assert answer.status_code == 404
    assert answer.json()["error"]["cure"] == "its attempts: 1, 2"


def test_a_step_that_has_not_begun_has_an_empty_log(client: TestClient, run: Run) -> None:
    answer = client.get(place(run, "later"))
    assert (answer.status_code, answer.text) == (200, "")
    assert client.get(place(run, "none")).status_code == 404
    assert client.get(place(run, "later", "?attempt=1")).json()["error"]["cure"].endswith("none")


def test_a_service_has_its_log_once_the_step_has_ended(
    instance: Instance, client: TestClient, run: Run
) -> None:
    attempt = AttemptId(run.id, "build", 1)
    logbook = instance.services.logbook
    answer = client.get(place(run, "build", "?service=db"))
    assert answer.status_code == 404
    assert "not kept yet" in answer.json()["error"]["message"]
    logbook.keep_service(attempt, "db", [b"1700000000.000000 up\n", b"1700000000.000000 bye\n"])
    assert client.get(place(run, "build", "?service=db")).text == "up\nbye\n"
    told = client.get(place(run, "build", "?service=db&from=2&timestamps=1&attempt=1")).text
    assert told == "2023-11-14T22:13:20.000Z bye\n"
    answer = client.get(place(run, "go", "?service=db"))
    assert answer.json()["error"]["cure"] == "it is read some seconds after the step has ended"
    answer = client.get(place(run, "later", "?service=db"))
    assert "not kept yet" in answer.json()["error"]["message"]
    instance.clock.advance(61)
    answer = client.get(place(run, "build", "?service=web"))
    assert answer.json()["error"]["cure"] == "its services with a log: db"


def test_a_long_log_comes_in_pieces(instance: Instance, client: TestClient, run: Run) -> None:
    lines = [f"line {number} " + "x" * 1000 for number in range(200)]
    instance.log(run, "build", *lines)
    assert client.get(place(run, "build")).text.splitlines() == lines
    told = sse(client.get(place(run, "build", "/stream")).text)
    assert [data["text"] for name, _, data in told if name == "line"] == lines


def test_a_store_that_is_away_is_said_so(instance: Instance, client: TestClient, run: Run) -> None:
    def broken(key: str, start: int = 0, length: int | None = None) -> bytes:
        raise ObjectStoreError(key)

    instance.services.objects.get = broken  # type: ignore[method-assign]
    answer = client.get(place(run, "build"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"


def test_the_stream_has_each_line_under_its_number(
    instance: Instance, client: TestClient, run: Run
) -> None:
    instance.log(run, "build", "one", "two")
    told = sse(client.get(place(run, "build", "/stream")).text)
    assert told == [
        ("line", "1", {"number": 1, "at": NOW + 3, "text": "one"}),
        ("line", "2", {"number": 2, "at": NOW + 4, "text": "two"}),
        ("end", "", {}),
    ]


@pytest.mark.parametrize(
    ("query", "last", "numbers"),
    [
        ("", "2", ["3", "4"]),
        ("?from=2", "", ["2", "3", "4"]),
        ("?from=2", "3", ["4"]),
        ("", "4", []),
        ("", "nonsense", ["1", "2", "3", "4"]),
        ("", "9" * 30, ["1", "2", "3", "4"]),
        ("", "-1", ["1", "2", "3", "4"]),
    ],
)
def test_the_stream_goes_on_where_it_broke_off(
    instance: Instance, client: TestClient, run: Run, query: str, last: str, numbers: list[str]
) -> None:
    instance.log(run, "build", "one", "two", "three", "four")
    headers = {"Last-Event-ID": last} if last else {}
    told = sse(client.get(place(run, "build", f"/stream{query}"), headers=headers).text)
    assert [number for name, number, _ in told if name == "line"] == numbers
    assert told[-1][0] == "end"


def test_the_stream_follows_what_is_written(
    instance: Instance, client: TestClient, run: Run
) -> None:
    instance.log(run, "go", "one")
    with client.stream("GET", place(run, "go", "/stream")) as answer:
        parts = (part for part in answer.iter_text() if not part.startswith(":"))
        assert '"text":"one"' in next(parts)
        instance.log(run, "go", "two", "three")
        assert [data["number"] for _, _, data in sse(next(parts))] == [2, 3]
        instance.log(run, "go", "four")
        ended = Attempt(run_id="", step="go", number=1, outcome=Outcome.SUCCESS, ended_at=NOW)
        instance.attempt(run, ended)
        instance.services.logbook.archive(AttemptId(run.id, "go", 1))
        rest = sse("".join(parts))
    assert [(name, number) for name, number, _ in rest] == [("line", "4"), ("end", "")]


def test_the_stream_of_a_step_waits_for_its_first_attempt(
    instance: Instance, client: TestClient, run: Run
) -> None:
    with client.stream("GET", place(run, "later", "/stream")) as answer:
        parts = answer.iter_text()
        assert next(parts) == ": still here\n\n"
        instance.log(run, "later", "now")
        instance.put(run, a_step("later", position=2))
        text = "".join(parts)
    told = [one for one in sse(text) if one[0] != "comment"]
    assert [(name, number) for name, number, _ in told] == [("line", "1"), ("end", "")]


def test_the_stream_of_a_step_that_never_ran_ends(
    instance: Instance, client: TestClient, run: Run
) -> None:
    instance.put(run, a_step("later", State.SKIPPED, position=2))
    assert sse(client.get(place(run, "later", "/stream")).text) == [("end", "", {})]


def test_the_stream_of_a_run_that_goes_away_ends(instance: Instance, run: Run) -> None:
    pace = Pace(log=0.001, heartbeat=0.002)
    with (
        TestClient(instance.app(pace)) as client,
        client.stream("GET", place(run, "go", "/stream")) as answer,
    ):
        parts = answer.iter_text()
        next(parts)
        with instance.database.write() as tx:
            remove(tx, run.repository_id)
        assert "".join(parts).endswith("event: end\ndata: {}\n\n")
