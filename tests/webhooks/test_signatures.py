"""Signatures: the published vectors' rules, rotation, and nothing that crashes."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webhooks.samples import NOW, OTHER_SECRET, SECRET
from webhooks.errors import SecretError, SignatureError
from webhooks.signatures import (
    check_standard_secret,
    hex_signature,
    new_secret,
    sign_standard,
    standard_headers,
    verify_hex,
    verify_standard,
)

BODY = b'{"a": 1}'
GOOD = hex_signature("s3cret", BODY)


def code_of(error: pytest.ExceptionInfo[SignatureError]) -> str:
    return error.value.code


def test_known_answer() -> None:
    """RFC 4231, test case 2."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hex_signature("Jefe", b"what do ya want for nothing?") == expected


def test_good_hex() -> None:
    verify_hex(("s3cret",), BODY, GOOD)
    verify_hex(("s3cret",), BODY, f"sha256={GOOD}", prefix="sha256=")


def test_any_secret_of_a_rotation_signs() -> None:
    verify_hex(("old", "s3cret"), BODY, GOOD)
    verify_hex(("s3cret", "new"), BODY, GOOD)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (None, "signature-missing"),
        ("", "signature-missing"),
        (GOOD[:-1], "signature-malformed"),
        (GOOD + "0", "signature-malformed"),
        (GOOD + " ", "signature-malformed"),
        (GOOD + "\n", "signature-malformed"),
        (GOOD.upper(), "signature-malformed"),
        (f"sha1={GOOD}", "signature-malformed"),
        (f"{GOOD}, {GOOD}", "signature-malformed"),
        ("é" * 64, "signature-malformed"),
        ("٣" * 64, "signature-malformed"),
        ("\udc80", "signature-malformed"),
        ("0" * 64, "signature-wrong"),
    ],
)
def test_bad_hex(told: str | None, code: str) -> None:
    with pytest.raises(SignatureError) as error:
        verify_hex(("s3cret",), BODY, told)
    assert code_of(error) == code
    assert GOOD not in str(error.value)


def test_a_prefix_that_is_asked_for_is_needed() -> None:
    with pytest.raises(SignatureError, match="sha256="):
        verify_hex(("s3cret",), BODY, GOOD, prefix="sha256=")


@pytest.mark.parametrize("secrets", [(), ("",), (" ",), ("good", "")])
def test_empty_secrets_are_refused_before_anything_else(secrets: tuple[str, ...]) -> None:
    with pytest.raises(SecretError) as error:
        verify_hex(secrets, BODY, hex_signature("good", BODY))
    assert error.value.code == "empty-secret"
    with pytest.raises(SecretError):
        verify_standard(secrets, {}, BODY, NOW)


def test_standard_known_answer() -> None:
    """The example of the Standard Webhooks specification."""
    told = sign_standard(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def standard(**changed: str) -> dict[str, str]:
    headers = standard_headers(SECRET, "msg-1", int(NOW), BODY)
    return {**headers, **{name.replace("_", "-"): value for name, value in changed.items()}}


def test_standard_round_trip_within_the_tolerance() -> None:
    for now in (NOW - 300, NOW, NOW + 300):
        verify_standard((OTHER_SECRET, SECRET), standard(), BODY, now)


@pytest.mark.parametrize("off", [-301, 301, 10**9])
def test_standard_outside_the_tolerance(off: float) -> None:
    with pytest.raises(SignatureError) as error:
        verify_standard((SECRET,), standard(), BODY, NOW + off)
    assert code_of(error) == "signature-expired"


def test_one_good_signature_among_several_is_enough() -> None:
    good = standard()["webhook-signature"]
    wrong = "v1," + base64.b64encode(b"x" * 32).decode()
    told = f"{wrong} v2,{wrong[3:]} v1a,AAAA junk v1,%% {good}"
    verify_standard((SECRET,), standard(webhook_signature=told), BODY, NOW)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"webhook_id": ""}, "signature-missing"),
        ({"webhook_timestamp": ""}, "signature-missing"),
        ({"webhook_signature": ""}, "signature-missing"),
        ({"webhook_id": "a.b"}, "signature-malformed"),
        ({"webhook_id": "é"}, "signature-malformed"),
        ({"webhook_id": "a b"}, "signature-malformed"),
        ({"webhook_timestamp": "soon"}, "signature-malformed"),
        ({"webhook_timestamp": "nan"}, "signature-malformed"),
        ({"webhook_timestamp": f"{NOW}"}, "signature-malformed"),
        ({"webhook_timestamp": f"-{NOW:.0f}"}, "signature-malformed"),
        ({"webhook_timestamp": "9" * 5000}, "signature-malformed"),
        ({"webhook_timestamp": "٣"}, "signature-malformed"),
        ({"webhook_signature": "v1,"}, "signature-malformed"),
        ({"webhook_signature": "g0hM9SsE"}, "signature-malformed"),
        ({"webhook_signature": "v1,AAAA,x"}, "signature-malformed"),
        ({"webhook_signature": "v1,AAA"}, "signature-malformed"),
        ({"webhook_signature": "v1,é"}, "signature-malformed"),
        ({"webhook_signature": "v2,AAAA"}, "signature-malformed"),
        ({"webhook_signature": "v1,AAAA"}, "signature-wrong"),
        ({"webhook_id": "msg-2"}, "signature-wrong"),
        ({"webhook_timestamp": f"{NOW + 1:.0f}"}, "signature-wrong"),
    ],
)
def test_bad_standard(changed: dict[str, str], code: str) -> None:
    with pytest.raises(SignatureError) as error:
        verify_standard((SECRET,), standard(**changed), BODY, NOW)
    assert code_of(error) == code
    assert standard()["webhook-signature"] not in str(error.value)


def test_another_body_does_not_fit() -> None:
    with pytest.raises(SignatureError):
        verify_standard((SECRET,), standard(), BODY + b" ", NOW)


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        ("whsec_", "empty-secret"),
        ("whsec_not base64", "malformed-secret"),
        ("whsec_é", "malformed-secret"),
        ("AAA", "malformed-secret"),
    ],
)
def test_a_secret_that_cannot_sign_is_named(secret: str, code: str) -> None:
    with pytest.raises(SecretError) as error:
        check_standard_secret(secret)
    assert error.value.code == code
    assert secret.removeprefix("whsec_") not in str(error.value) or not secret[6:]


def test_new_secrets_are_random_and_fit_both_schemes() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    check_standard_secret(first)
    verify_hex((first,), BODY, hex_signature(first, BODY))
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32


@given(told=st.text(), prefix=st.sampled_from(["", "sha256="]))
def test_no_header_crashes_hex(told: str, prefix: str) -> None:
    with pytest.raises(SignatureError):
        verify_hex(("s3cret",), BODY, told, prefix=prefix)


@given(told=st.text(), message_id=st.text(), timestamp=st.text() | st.just(str(int(NOW))))
def test_no_header_crashes_standard(told: str, message_id: str, timestamp: str) -> None:
    headers = standard(webhook_signature=told, webhook_id=message_id, webhook_timestamp=timestamp)
    with pytest.raises(SignatureError):
        verify_standard((SECRET,), headers, BODY, NOW)


@given(secret=st.text(min_size=1).filter(str.strip), body=st.binary(), flip=st.integers(0, 255))
def test_one_changed_bit_never_passes(secret: str, body: bytes, flip: int) -> None:
    mac = bytearray.fromhex(hex_signature(secret, body))
    mac[flip // 8] ^= 1 << (flip % 8)
    with pytest.raises(SignatureError):
        verify_hex((secret,), body, mac.hex())
