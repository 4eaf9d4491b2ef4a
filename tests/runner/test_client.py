"""The client against a real socket: requests, refusals, and streams that break off."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx2
import pytest

from runner.client import (
    BadAnswer,
    Client,
    ClientError,
    NotFound,
    Refused,
    Unreachable,
    is_loopback,
    path_of,
)
from tests.runner.cli.scripted_api import END, ScriptedApi, event, serving


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with serving() as served:
        yield served


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(api: ScriptedApi, pauses: list[float]) -> Iterator[Client]:
    with Client(api.url + "/", "hkl_secret", pauses=(1.0, 2.0), sleep=pauses.append) as opened:
        yield opened


def nobody() -> str:
    """Return an address of this machine at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


def test_what_is_asked_and_what_comes_back(client: Client, api: ScriptedApi) -> None:
    api.on("GET", "/runs?limit=2", {"runs": []})
    api.on("POST", "/hooks", {"id": "h"}, 201)
    api.on("DELETE", "/hooks/h", status=204)
    assert client.get("/runs", {"limit": 2, "branch": None}) == {"runs": []}
    assert client.post("/hooks", {"repository": "a/b"}) == {"id": "h"}
    client.delete("/hooks/h")
    assert [(a.method, a.target, a.body) for a in api.asked] == [
        ("GET", "/runs?limit=2", None),
        ("POST", "/hooks", {"repository": "a/b"}),
        ("DELETE", "/hooks/h", None),
    ]
    assert {a.headers["authorization"] for a in api.asked} == {"Bearer hkl_secret"}


def test_without_a_token_none_is_sent(api: ScriptedApi) -> None:
    api.on("GET", "/runs", {})
    with Client(api.url) as client:
        client.get("/runs")
    assert "authorization" not in api.asked[0].headers


def test_a_name_is_one_part_of_a_path(client: Client, api: ScriptedApi) -> None:
    place = path_of("steps", "test (image=debian/12)", "log", 3)
    assert place == "/steps/test%20%28image%3Ddebian%2F12%29/log/3"
    api.on("GET", place, {"found": True})
    assert client.get(place) == {"found": True}


def test_nobody_is_there() -> None:
    url = nobody()
    with Client(url) as client, pytest.raises(Unreachable) as caught:
        client.get("/runs")
    assert caught.value.message.startswith(f"no server answers at {url}: ")
    assert "hookline serve" in caught.value.cure
    with Client(url) as client, pytest.raises(Unreachable):
        list(client.lines("/log"))
    with Client(url, pauses=()) as client, pytest.raises(Unreachable, match="no server"):
        list(client.stream("/stream"))


def test_a_refusal_in_the_servers_words(client: Client, api: ScriptedApi) -> None:
    api.refuse("POST", "/runs/x/rerun", 409, "the run has not ended", "wait for its end")
    with pytest.raises(Refused) as caught:
        client.post("/runs/x/rerun", {})
    error = caught.value
    assert (error.status, error.code) == (409, "code-409")
    assert str(error) == "the run has not ended (wait for its end)"


def test_what_is_not_there(client: Client) -> None:
    with pytest.raises(NotFound, match="nothing at /runs/x"):
        client.get("/runs/x")


@pytest.mark.parametrize(
    ("token", "cure"),
    [
        (None, "set HOOKLINE_TOKEN to a token of this server"),
        ("hkl_x", "set HOOKLINE_TOKEN to a token that is valid here"),
    ],
)
def test_who_may_not(api: ScriptedApi, token: str | None, cure: str) -> None:
    api.refuse("GET", "/tokens", 401, "this needs a token", "log in")
    with Client(api.url, token) as client, pytest.raises(Refused) as caught:
        client.get("/tokens")
    assert (caught.value.message, caught.value.cure) == ("this needs a token", cure)


@pytest.mark.parametrize(
    ("status", "content", "told"),
    [
        (502, {"detail": "bad gateway"}, "answers with HTTP 502"),
        (502, {"error": "words"}, "answers with HTTP 502"),
        (302, None, "answers with HTTP 302"),
        (200, ["a", "list"], 'no JSON object: \'["a", "list"]\''),
    ],
)
def test_somebody_else_listens_there(
    client: Client, api: ScriptedApi, status: int, content: object, told: str
) -> None:
    api.on("GET", "/runs", content, status)
    with pytest.raises(BadAnswer, match="the address of a Hookline") as caught:
        client.get("/runs")
    assert told in caught.value.message


def test_an_answer_that_is_no_json(client: Client, api: ScriptedApi) -> None:
    api.text("/runs", "<html>")
    with pytest.raises(BadAnswer, match="<html>"):
        client.get("/runs")


def test_lines_end_at_newlines_and_nowhere_else(client: Client, api: ScriptedApi) -> None:
    api.text("/log?attempt=2", "one\r\x0c two\n\nthree\u2028\nrest")
    assert list(client.lines("/log", {"attempt": 2})) == [
        "one\r\x0c two",
        "",
        "three\u2028",
        "rest",
    ]


def test_lines_that_are_refused(client: Client) -> None:
    with pytest.raises(NotFound):
        list(client.lines("/log"))


def test_a_stream_to_its_end(client: Client, api: ScriptedApi) -> None:
    api.stream("/s?attempt=1", b": still here\n\n", event("line", {"number": 1}, "1"), END)
    found = list(client.stream("/s", {"attempt": 1}))
    assert [(e.kind, e.id, e.data) for e in found] == [
        ("line", "1", {"number": 1}),
        ("end", "1", {}),
    ]


def test_a_stream_that_breaks_off_is_taken_up(
    client: Client, api: ScriptedApi, pauses: list[float]
) -> None:
    api.stream("/s", event("line", {"number": 1}, "1"), event("line", {"number": 2}, "2"))
    api.stream("/s")
    api.stream("/s", event("line", {"number": 3}, "3"), END)
    assert [e.data.get("number") for e in client.stream("/s")] == [1, 2, 3, None]
    assert [a.headers.get("last-event-id") for a in api.asked] == [None, "2", "2"]
    assert pauses == [1.0, 2.0]


def test_a_stream_that_cannot_be_taken_up(
    client: Client, api: ScriptedApi, pauses: list[float]
) -> None:
    api.stream("/s", event("line", {"number": 1}, "1"))
    api.stream("/s")
    stream = client.stream("/s")
    assert next(stream).data == {"number": 1}
    with pytest.raises(Unreachable, match="broke off again and again"):
        next(stream)
    assert (pauses, len(api.asked)) == ([1.0, 2.0], 3)


def test_a_server_that_goes_away_in_the_middle(pauses: list[float]) -> None:
    with serving() as api:
        api.stream("/s", event("line", {}, "1"))
        client = Client(api.url, pauses=(0.5,), sleep=pauses.append)
        stream = client.stream("/s")
        next(stream)
    with client, pytest.raises(Unreachable, match="again and again"):
        next(stream)
    assert pauses == [0.5]


def test_a_stream_that_is_refused(client: Client, api: ScriptedApi) -> None:
    api.refuse("GET", "/s", 403, "not yours")
    with pytest.raises(Refused, match="not yours"):
        next(client.stream("/s"))


def test_a_stream_that_is_none(client: Client, api: ScriptedApi) -> None:
    api.text("/s", "event: end\n\n")
    with pytest.raises(Unreachable):
        list(client.stream("/s"))


def test_a_proxy_does_not_see_what_is_meant_for_this_machine(
    api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", nobody())
    monkeypatch.setenv("NO_PROXY", "")
    api.on("GET", "/runs", {"runs": []})
    with Client(api.url) as client:
        assert client.get("/runs") == {"runs": []}
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{api.url}/api/v1/runs")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8080", True),
        ("http://127.0.0.1", True),
        ("http://127.8.9.1:80", True),
        ("http://[::1]:8080", True),
        ("https://ci.example.com", False),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("nonsense", False),
    ],
)
def test_what_leads_to_this_machine(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


def test_an_error_without_a_cure() -> None:
    assert str(ClientError("it is so")) == "it is so"
