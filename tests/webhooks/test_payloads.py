"""Bodies: one kind of error, whatever is in them."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks import payloads
from webhooks.errors import PayloadError

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", {}),
        (b' {"a": [1, 2.5, null]} ', {"a": [1, 2.5, None]}),
        (b'{"a": "\\ud83e\\udd8a"}', {"a": "🦊"}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": 1e999}', {"a": float("inf")}),
    ],
)
def test_decode(body: bytes, expected: object) -> None:
    assert payloads.decode(body) == expected


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        ('{"a": 1}'.encode("utf-16"), "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a": "\xed\xa0\x80"}', "not JSON"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": -Infinity}', "-Infinity is no JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not JSON"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (b"[]", "no object"),
        (b"null", "no object"),
        (b'"text"', "no object"),
        (b"1" * 4000, "no object"),
        (b"[" * 900 + b"]" * 900, "no object"),
    ],
)
def test_decode_refuses(body: bytes, told: str) -> None:
    with pytest.raises(PayloadError, match=told):
        payloads.decode(body)


@given(st.binary())
def test_no_bytes_crash(body: bytes) -> None:
    for headers in ({}, FORM):
        with contextlib.suppress(PayloadError):
            assert isinstance(payloads.document(headers, body), dict)


def test_forms() -> None:
    assert payloads.document(FORM, b"payload=%7B%22a%22%3A+1%7D&x=y") == {"a": 1}
    assert payloads.document(FORM, b"payload=%7B%22a%22:%22%C3%BC%22%7D") == {"a": "ü"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload",
        b"payload=",
        b"other=%7B%7D",
        b"payload=%7B%7D&payload=%7B%7D",
        b"payload=%FF",
        b"payload=\xff",
        b"&".join([b"a=b"] * 17),
    ],
)
def test_forms_refused(body: bytes) -> None:
    with pytest.raises(PayloadError):
        payloads.document(FORM, body)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("application/json", "application/json"),
        ("Application/JSON ; charset=utf-8", "application/json"),
        ("", ""),
    ],
)
def test_media_type(told: str, expected: str) -> None:
    assert payloads.media_type({"content-type": told}) == expected
    assert payloads.media_type({}) == ""


def test_within() -> None:
    tree = {"a": {"b": [1]}, "c": None}
    assert payloads.within(tree, "a", "b") == [1]
    for path in (("x",), ("a", "x"), ("a", "b", "c"), ("c", "d")):
        assert payloads.within(tree, *path) is None
    assert payloads.within(tree) is tree


def test_text() -> None:
    assert payloads.text({"a": "b"}, "a") == "b"
    assert payloads.text({"a": 1}, "a") == ""


@pytest.mark.parametrize("sound", ["a" * 40, "0" * 64])
def test_commit(sound: str) -> None:
    assert payloads.commit({"x": {"id": sound}}, "x", "id") == sound


@pytest.mark.parametrize(
    "told", ["", "a" * 39, "a" * 41, "A" * 40, "g" * 40, "a" * 40 + "\n", "-" * 40, None, 1, []]
)
def test_commit_refused(told: object) -> None:
    with pytest.raises(PayloadError, match=r"x\.id"):
        payloads.commit({"x": {"id": told}}, "x", "id")


def test_number() -> None:
    assert payloads.number({"n": 7}, "n") == 7


@pytest.mark.parametrize("told", [0, -1, 2**31, 10**4000, True, 7.0, "7", None])
def test_number_refused(told: object) -> None:
    with pytest.raises(PayloadError):
        payloads.number({"n": told}, "n")


def test_is_zero() -> None:
    assert payloads.is_zero("0" * 40)
    assert payloads.is_zero("0" * 64)
    assert not payloads.is_zero("0" * 39 + "1")


def test_json_escapes_stay_what_they_are() -> None:
    assert payloads.decode(json.dumps({"a": "\x00"}).encode()) == {"a": "\x00"}
