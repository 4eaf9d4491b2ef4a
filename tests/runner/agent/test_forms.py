from __future__ import annotations

import base64
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.forms import SHORTEST, forms_of, parts_of

KEY = "-----BEGIN KEY-----\nabcd+/efgh==\n  indented  \n}\n-----END KEY-----\n"


def test_the_parts_of_a_secret_are_its_whole_and_its_lines() -> None:
    assert parts_of("one") == ()
    assert parts_of("word") == ("word",)
    assert parts_of(" word\n") == ("word",)
    assert parts_of(KEY) == (
        KEY.strip(),
        "-----BEGIN KEY-----",
        "abcd+/efgh==",
        "indented",
        "-----END KEY-----",
    )


def test_what_is_short_in_letters_may_be_long_in_bytes() -> None:
    assert parts_of("éé") == ("éé",)


@pytest.mark.parametrize(
    "form",
    [
        "p&ss w'rd/$x",
        b"p&ss w'rd/$x".hex(),
        b"p&ss w'rd/$x".hex().upper(),
        quote("p&ss w'rd/$x"),
        quote("p&ss w'rd/$x", safe=""),
        quote_plus("p&ss w'rd/$x"),
        "p%26ss%20w'rd%2F%24x",
        "p&ss%20w'rd/$x",
        "p%26ss+w%27rd%2f%24x",
        "p\\u0026ss w'rd/$x",
        "p&ss w'rd\\/$x",
        "p&ss w'rd/\\$x",
        "p\\&ss\\ w\\'rd/\\$x",
        "p&ss w'\\''rd/$x",
        shlex.quote("p&ss w'rd/$x").strip("'"),
    ],
)
def test_a_secret_is_known_in_the_ways_programs_write_it(form: str) -> None:
    assert form.encode() in forms_of("p&ss w'rd/$x")


def test_json_holds_what_is_not_ascii_in_two_ways() -> None:
    forms = forms_of('pässwört"\n1')

    assert json.dumps('pässwört"\n1')[1:-1].encode() in forms
    assert 'pässwört\\"\\n1'.encode() in forms


@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "u", "u:", "usr", "user:"])
@pytest.mark.parametrize("after", ["", "\n", "@x", "@host"])
def test_base64_is_known_wherever_the_secret_stands_in_it(
    alphabet: object, before: str, after: str
) -> None:
    assert callable(alphabet)
    secret = "s3cr?t>~word"
    encoded = alphabet((before + secret + after).encode())
    forms = forms_of(secret)

    longest = max((form for form in forms if form in encoded), key=len)

    # All but the letters that hold a part of what stands next to it as well.
    assert len(longest) >= len(secret) * 8 // 6 - 2
    if not before + after:
        assert longest == encoded
        assert encoded.rstrip(b"=") in forms


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("width", [64, 76])
def test_base64_in_lines_is_known_line_by_line(end: str, width: int) -> None:
    value = "".join(f"{number:04}?>" for number in range(40))
    encoded = base64.b64encode((value + end).encode())

    lines = {encoded[start : start + width] for start in range(0, len(encoded), width)}

    assert lines <= forms_of(value)


def test_hex_in_lines_is_known_line_by_line() -> None:
    encoded = ("0123456789" * 20).encode().hex().encode()

    assert {encoded[start : start + 60] for start in range(0, len(encoded), 60)} <= forms_of(
        "0123456789" * 20
    )


@given(st.text(max_size=60))
def test_no_form_ends_a_line_or_is_too_short(value: str) -> None:
    for form in forms_of(value):
        assert b"\n" not in form
        assert len(form) >= SHORTEST


@given(st.text(max_size=60))
def test_every_part_has_forms(value: str) -> None:
    assert bool(parts_of(value)) <= bool(forms_of(value))
