from __future__ import annotations

import json
from typing import Any

import pytest

from runner.agent.errors import OrderError
from runner.agent.pod.order import parse
from runner.objects.base import Upload

GOOD: dict[str, Any] = {
    "version": 1,
    "command": ["sh", "-c", "make"],
    "environment": {"CI": "true"},
    "outputs": ["passed"],
    "artifacts": ["report.xml"],
    "timeout": 3600.0,
    "grace": 10,
    "log_limit": 1000,
    "input": "a" * 64,
    "home": "attempts/r/s-1",
    "objects": {"packs/aa/b": "http://secret"},
    "upload": {"url": "http://store", "fields": {"policy": "secret"}, "prefix": "p/"},
}


def test_an_order_is_read_as_it_was_written() -> None:
    order = parse(json.dumps(GOOD).encode())
    assert order.command == ("sh", "-c", "make")
    assert order.environment == {"CI": "true"}
    assert (order.outputs, order.artifacts) == (("passed",), ("report.xml",))
    assert (order.timeout, order.grace, order.log_limit) == (3600.0, 10.0, 1000)
    assert (order.input, order.home) == ("a" * 64, "attempts/r/s-1")
    assert order.upload == Upload(url="http://store", fields={"policy": "secret"}, prefix="p/")
    assert order.memory is None


def test_the_memory_may_be_known_and_more_may_be_said() -> None:
    order = parse(json.dumps({**GOOD, "memory": 2**29, "later": 1}).encode())
    assert order.memory == 2**29


def test_what_lets_its_holder_in_is_not_shown() -> None:
    assert "secret" not in repr(parse(json.dumps(GOOD).encode()))


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"1", b"{}", b"\xff"])
def test_what_is_no_order_is_refused(raw: bytes) -> None:
    with pytest.raises(OrderError, match="not a JSON object with a version"):
        parse(raw)


def test_an_order_of_another_version_says_what_to_do() -> None:
    with pytest.raises(OrderError, match="of version 2, this agent knows 1: give agent and server"):
        parse(json.dumps({**GOOD, "version": 2}).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("command", "make"),
        ("command", [1]),
        ("environment", {"A": 1}),
        ("environment", []),
        ("timeout", "1h"),
        ("timeout", True),
        ("log_limit", 1.5),
        ("input", None),
        ("objects", {"k": None}),
        ("upload", "http://secret"),
        ("memory", "1G"),
    ],
)
def test_a_field_that_is_wrong_is_named_and_not_shown(name: str, value: object) -> None:
    with pytest.raises(OrderError, match=f"`{name}` of the order") as caught:
        parse(json.dumps({**GOOD, name: value}).encode())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in GOOD if name != "version"])
def test_a_field_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(OrderError, match=f"`{name}` of the order is missing"):
        parse(json.dumps({key: value for key, value in GOOD.items() if key != name}).encode())
