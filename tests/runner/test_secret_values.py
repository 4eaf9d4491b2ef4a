"""What may be a secret, and what is said of the rest without showing it."""

from __future__ import annotations

import pytest

from runner.secret_values import LARGEST, SecretRefused, check_value, read_value

KEY = "-----BEGIN KEY-----\nabcdef\n-----END KEY-----\n"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b" s3 cret \n", " s3 cret "),
        (KEY.encode(), KEY),
        ("pässwört\n".encode(), "pässwört"),
        (b"x" * LARGEST + b"\r\n", "x" * LARGEST),
    ],
)
def test_what_is_read(data: bytes, value: str) -> None:
    assert read_value(data) == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the value has no line of 4 bytes or more"),
        (b"abc\n", "the value has no line of 4 bytes or more"),
        (b"a\n\n\nb", "the value has no line of 4 bytes or more"),
        (b"hush\xffhush", "the value is no text: byte 5 of it is not UTF-8"),
        (b"hush\0hush", "the value holds a NUL character"),
        (b"hush" * (LARGEST // 4) + b"h", f"the value has more than {LARGEST} bytes"),
        (b"hush\n" * LARGEST, f"the value has more than {LARGEST} bytes"),
    ],
)
def test_what_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(SecretRefused) as refused:
        read_value(data)
    assert refused.value.message.startswith(message)
    assert refused.value.cure
    assert "hush" not in str(refused.value)


def test_what_is_no_text_at_all() -> None:
    with pytest.raises(SecretRefused, match="half of a surrogate pair"):
        check_value("hush\udc80")
