"""The forms in which a secret may show up in a log: as it is, quoted, escaped and encoded."""

from __future__ import annotations

import binascii
import json
import re
import string
from collections.abc import Iterator

SHORTEST = 4
"""Bytes that a text must have to be looked for; what is shorter is part of too many words."""

_UNRESERVED = string.ascii_letters + string.digits + "-._~"  # RFC 3986, 2.3
_URL_STYLES: tuple[tuple[frozenset[int], bool], ...] = tuple(
    (frozenset(safe.encode()), plus)
    for safe, plus in (
        (_UNRESERVED, False),
        (_UNRESERVED, True),
        (_UNRESERVED + "/", False),
        (_UNRESERVED + "!'()*", False),  # ECMAScript's encodeURIComponent
        (_UNRESERVED + "!'()*;/?:@&=+$,#", False),  # and its encodeURI
        (string.ascii_letters + string.digits + "*-._", True),  # forms: WHATWG URL, 5.2
    )
)
"""What programs leave as it is in a URL, and whether they write `+` for a space."""

_BASE64_WIDTHS = (64, 76)  # RFC 7468, section 2, and RFC 2045, section 6.8
_HEX_WIDTH = 60  # that of `xxd -p`
_HEAD = (0, 2, 3)
"""How many letters of base64 depend on what stands before, by how many bytes that are beyond 3."""


def parts_of(value: str) -> tuple[str, ...]:
    """Return what is looked for of a secret: its whole, and each of its lines, if long enough."""
    texts = (value.strip(), *(line.strip() for line in value.split("\n")))
    return tuple(text for text in dict.fromkeys(texts) if len(_bytes(text)) >= SHORTEST)


def forms_of(value: str) -> frozenset[bytes]:
    """Return the forms of a secret: no line ends in any, each of `SHORTEST` bytes at least.

    In each of them whatever stands before and after it may be in the same encoding.
    """
    forms = {form for part in parts_of(value) for form in _forms(part)}
    forms.update(_wrapped(_bytes(value).hex().encode(), _HEX_WIDTH))
    for text in (value, value + "\n"):
        encoded = _encoded(_bytes(text))
        for width in _BASE64_WIDTHS:
            forms.update(_wrapped(encoded, width))
    return frozenset(form for form in forms if len(form) >= SHORTEST)


def _forms(part: str) -> Iterator[bytes]:
    data = _bytes(part)
    yield from (data.hex().encode(), data.hex().upper().encode())
    yield from _base64(data)
    for safe, plus in _URL_STYLES:
        yield from (_percent(data, safe, plus, "%%%02X"), _percent(data, safe, plus, "%%%02x"))
    yield from map(_bytes, _escaped(part))
    if "\n" not in part:
        yield from map(_bytes, _quoted(part))


def _escaped(text: str) -> Iterator[str]:
    """Yield the ways in which JSON holds a text (RFC 8259, section 7)."""
    for inner in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield inner
        yield inner.replace("/", "\\/")
        yield inner.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _quoted(line: str) -> Iterator[str]:
    """Yield a line as it is, and as shells write it, `set -x` above all."""
    yield line
    yield line.replace("'", "'\\''")
    yield line.replace("'", "'\"'\"'")
    yield re.sub(r'([\\"$`])', r"\\\1", line)
    yield re.sub(r"([^A-Za-z0-9_./:=@%^,+-])", r"\\\1", line)


def _base64(data: bytes) -> Iterator[bytes]:
    """Yield the base64 of bytes in both alphabets, wherever in what is encoded they stand.

    With 0, 1 or 2 bytes before them (and any multiple of 3 more), and both at the end, with
    padding and without, and before other bytes.
    """
    for before in range(3):
        padded = _encoded(b"\0" * before + data)[_HEAD[before] :]
        within = (before + len(data)) * 8 // 6 - _HEAD[before]
        for form in (padded[:within], padded.rstrip(b"="), padded):
            yield form
            yield _url_safe(form)


def _wrapped(encoded: bytes, width: int) -> Iterator[bytes]:
    """Yield the lines of an encoded text that does not fit into one, in both alphabets."""
    if len(encoded) > width:
        for start in range(0, len(encoded), width):
            line = encoded[start : start + width]
            yield line
            yield _url_safe(line)


def _encoded(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)


def _url_safe(encoded: bytes) -> bytes:
    return encoded.translate(bytes.maketrans(b"+/", b"-_"))


def _percent(data: bytes, safe: frozenset[int], plus: bool, hexadecimal: str) -> bytes:
    """Return bytes as a URL holds them (RFC 3986, section 2.1)."""
    written = [chr(byte) if byte in safe else hexadecimal % byte for byte in data]
    text = "".join(written)
    return (text.replace("%20", "+") if plus else text).encode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
