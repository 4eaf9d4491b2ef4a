from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Sequence
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.agent.masking import LONGEST, Masker, Pieces, maskable

TOKEN = "ghp_Ab3-xY/9+q"
KEY = "-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG\n} \n-----END KEY-----\n"


def masked(values: Sequence[str], chunks: Sequence[bytes]) -> bytes:
    masker = Masker(values)
    return b"".join([*(masker.feed(chunk) for chunk in chunks), masker.flush()])


def pieces_of(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(places)]


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("", ""),
        ("nothing to hide\n", "nothing to hide\n"),
        (f"the token is {TOKEN}.\n", "the token is ***.\n"),
        (f"{TOKEN}{TOKEN} {TOKEN}", "*** ***"),
        (TOKEN[:-1], TOKEN[:-1]),
        (f"{TOKEN[:5]}{TOKEN}", f"{TOKEN[:5]}***"),
        (f"https://me:{quote(TOKEN, safe='')}@host", "https://me:***@host"),
        (json.dumps({"a": TOKEN}), '{"a": "***"}'),
        (TOKEN.encode().hex(), "***"),
        (base64.b64encode(TOKEN.encode()).decode(), "***"),
        (base64.b64encode(b"abc" + TOKEN.encode()).decode(), "YWJj***"),
    ],
)
def test_a_secret_is_replaced_in_all_its_forms(printed: str, shown: str) -> None:
    assert masked([TOKEN], [printed.encode()]).decode() == shown


def test_each_line_of_a_key_is_replaced_but_those_too_short() -> None:
    assert masked([KEY], [f"a {KEY} b".encode()]) == b"a ***\n***\n} \n***\n b"


def test_of_two_secrets_one_within_the_other_the_whole_is_replaced() -> None:
    assert masked(["middle", "the middle of it"], [b"<the middle of it>"]) == b"<***>"
    assert masked(["the middle", "middle of it"], [b"<the middle of it>"]) == b"<***>"


def test_a_part_of_a_long_secret_is_replaced_too() -> None:
    secret = "".join(f"{number:03}" for number in range(100))

    assert secret[64:256].encode() not in masked([secret], [secret[60:260].encode()])


def test_without_secrets_all_goes_through_at_once() -> None:
    masker = Masker([])

    assert masker.feed(b"anything") == b"anything"
    assert masker.flush() == b""


def test_what_cannot_be_a_secret_any_more_is_told_at_once() -> None:
    masker = Masker(["password"])

    assert masker.feed(b"the pass") == b"the "
    assert masker.feed(b"age\np") == b"passage\n"
    assert masker.feed(b"assword") == b"***"
    assert masker.feed(b"s") == b"s"
    assert masker.flush() == b""


def test_what_was_held_is_told_in_the_end() -> None:
    masker = Masker(["password"])

    assert masker.feed(b"passwor") == b""
    assert masker.flush() == b"passwor"
    assert masker.feed(b"d") == b"d"


def test_a_secret_whose_end_may_begin_another_is_one_replacement() -> None:
    masker = Masker(["abcdab", "abxyz!"])

    assert masker.feed(b"abcdab") == b"***"
    assert masker.feed(b"xyz! abcdab") + masker.flush() == b" ***"


def test_a_line_is_never_held_for_the_sake_of_the_next() -> None:
    masker = Masker([KEY, TOKEN])

    for line in KEY.splitlines(keepends=True):
        assert masker.feed(line.encode()).endswith(b"\n")


def test_no_more_is_held_than_a_piece() -> None:
    secret = "a" * 1000 + "b"
    masker = Masker([secret])

    told = masker.feed(b"a" * 999)

    assert told in (b"***", b"")
    assert len(masker.flush()) <= LONGEST + 3


def test_a_text_is_masked_as_a_whole() -> None:
    masker = Masker([TOKEN])
    masker.feed(TOKEN[:4].encode())

    assert masker.text(f"no file {TOKEN}/x") == "no file ***/x"
    assert masker.hides(f"<{TOKEN}>")
    assert not masker.hides(TOKEN[1:])
    assert masker.flush() == TOKEN[:4].encode()


def test_another_replacement_can_be_asked_for() -> None:
    masker = Masker([TOKEN], replacement=b"[hidden]")

    assert masker.feed(TOKEN.encode()) + masker.flush() == b"[hidden]"


@pytest.mark.parametrize(
    ("value", "can_be"),
    [
        ("", False),
        ("abc", False),
        ("abcd", True),
        ("a\nb\nc\nd", False),
        ("a\nbcde", True),
        ("a\n\n", False),
    ],
)
def test_what_is_too_short_cannot_be_masked(value: str, can_be: bool) -> None:
    assert maskable(value) is can_be


def test_what_is_too_short_stays() -> None:
    assert masked(["abc"], [b"abc"]) == b"abc"


# One letter may stand for many: the few there are make near misses likely.
SECRETS = st.lists(
    st.one_of(
        st.text(alphabet="ab", min_size=4, max_size=12),
        st.text(alphabet="ab\n", min_size=4, max_size=30),
        st.text(alphabet="abc", min_size=100, max_size=200),
        st.text(min_size=4, max_size=20).filter(lambda text: "\r" not in text),
    ),
    min_size=1,
    max_size=4,
)
CUTS = st.lists(st.integers(0, 400), max_size=12)


@st.composite
def printed_with(draw: st.DrawFn) -> tuple[list[str], bytes]:
    """Return secrets, and something printed with many of their forms and near misses in it."""
    values = draw(SECRETS)
    encodings = (
        lambda text: text.encode("utf-8", "surrogatepass"),
        lambda text: base64.b64encode(text.encode("utf-8", "surrogatepass")),
        lambda text: quote(text.encode("utf-8", "surrogatepass"), safe="").encode(),
        lambda text: json.dumps(text).encode(),
        lambda text: text.encode("utf-8", "surrogatepass").hex().encode(),
    )
    written = []
    for _ in range(draw(st.integers(0, 6))):
        form = draw(st.sampled_from(encodings))(draw(st.sampled_from(values)))
        stop = draw(st.integers(0, len(form)))
        written.append(draw(st.sampled_from([form, form[:stop], form[stop:], b"a", b"\n", b" "])))
    return values, b"".join(written)


@given(printed_with(), CUTS)
@settings(max_examples=400)
@example((["aaaab"], b"aaaaaaaab"), [3, 4, 5])
@example((["abcdab", "abxyz!"], b"abcdabxyz!"), [6])
def test_the_result_depends_on_no_border(made: tuple[list[str], bytes], cuts: list[int]) -> None:
    values, data = made

    whole = masked(values, [data])

    assert masked(values, pieces_of(data, cuts)) == whole
    assert masked(values, [data[i : i + 1] for i in range(len(data))]) == whole


@given(printed_with(), st.binary(max_size=8), CUTS)
@settings(max_examples=400)
def test_no_form_survives(made: tuple[list[str], bytes], noise: bytes, cuts: list[int]) -> None:
    values, data = made
    told = masked(values, pieces_of(noise + data, cuts))
    between = told.split(b"***")

    for value in values:
        for form in whole_forms(value):
            if b"***" not in form:
                assert not any(form in part for part in between)


def whole_forms(value: str) -> list[bytes]:
    """Return the commonest forms, made without the code that is tested."""
    text = value.strip()
    data = text.encode("utf-8", "surrogatepass")
    if len(data) < 4 or "\n" in text:
        return []
    return [
        data,
        base64.b64encode(data),
        base64.urlsafe_b64encode(data).rstrip(b"="),
        base64.b64encode(b"x" + data)[2 : (1 + len(data)) * 8 // 6],
        base64.b64encode(b"xy" + data)[3 : (2 + len(data)) * 8 // 6],
        quote(data, safe="").encode(),
        json.dumps(text)[1:-1].encode(),
        data.hex().encode(),
        data.hex().upper().encode(),
    ]


@given(st.lists(st.binary(min_size=4, max_size=90), max_size=5), st.binary(max_size=200))
def test_pieces_are_found_where_a_slow_search_finds_them(forms: list[bytes], data: bytes) -> None:
    pieces = Pieces(forms)
    data += b"".join(forms)
    expected = {
        place
        for form in forms
        for start in range(len(data))
        if data.startswith(form, start)
        for place in range(start, start + len(form))
    }

    found = {place for start, stop in pieces.find(data) for place in range(start, stop)}

    assert expected <= found
    if all(len(form) <= LONGEST for form in forms):
        assert found == expected


@given(st.lists(st.binary(min_size=4, max_size=64), max_size=5), st.binary(max_size=100))
def test_what_may_begin_a_piece_is_held(forms: list[bytes], data: bytes) -> None:
    pieces = Pieces(forms)
    beginnings = {form[:length] for form in forms for length in range(1, len(form))}
    expected = max((n for n in range(1, len(data) + 1) if data[-n:] in beginnings), default=0)

    assert pieces.held(data) == expected
