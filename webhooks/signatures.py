"""Who sent these bytes: HMAC-SHA256 signatures, verified in constant time.

Two schemes: a bare or prefixed hex digest over the body (GitHub, Gitea, Forgejo), and Standard
Webhooks (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md),
which also covers an id and a time. Secrets come as a list, so that one can be replaced without a
gap. SHA-1 is never looked at.
"""

from __future__ import annotations

import base64
import re
import secrets as randomness
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from webhooks.errors import SecretError, SignatureError

_KeyOf: TypeAlias = Callable[[str], bytes]

TOLERANCE = 300.0
STANDARD_PREFIX = "whsec_"

_HEX = re.compile(r"[0-9a-f]{64}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_MESSAGE_ID = re.compile(r"[!-\-/-~]{1,255}")


def hex_signature(secret: str, body: bytes) -> str:
    """Return the signature of `body` as 64 lower-case hex digits; SecretError if `secret` is bad."""
    return _mac(_plain_key(secret), body).finalize().hex()


def verify_hex(secrets: Sequence[str], body: bytes, told: str | None, *, prefix: str = "") -> None:
    """Raise SignatureError unless `told` is `prefix` and the hex signature by one of `secrets`.

    `told` is the header's value, None if it was not sent. SecretError if a secret is empty.
    """
    keys = _keys(secrets, _plain_key)
    mac = _told_hex(told, prefix)
    agreed = [_agrees(_mac(key, body), mac) for key in keys]
    if not any(agreed):
        _refuse("wrong", "the signature is not made with this hook's secret")


def sign_standard(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` value (`v1,` and base64) of Standard Webhooks."""
    mac = _standard_mac(_standard_key(secret), message_id, str(timestamp), body)
    return "v1," + base64.b64encode(mac.finalize()).decode("ascii")


def standard_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers with which Standard Webhooks signs `body`."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign_standard(secret, message_id, timestamp, body),
    }


def verify_standard(
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now: float,
    tolerance: float = TOLERANCE,
) -> None:
    """Raise SignatureError unless one `v1` signature in `headers` is by one of `secrets`.

    `headers` has lower-case names; `now` and `tolerance` are seconds. Signatures of other versions
    are passed over, as the specification asks. SecretError if a secret is empty or not base64.
    """
    keys = _keys(secrets, _standard_key)
    message_id, timestamp = _told_message(headers, now, tolerance)
    told = _told_standard(headers.get("webhook-signature"))
    macs = [_standard_mac(key, message_id, timestamp, body) for key in keys]
    agreed = [_agrees(mac, candidate) for mac in macs for candidate in told]
    if not any(agreed):
        _refuse("wrong", "no v1 signature is made with this hook's secret")


def check_standard_secret(secret: str) -> None:
    """Raise SecretError unless `secret` can sign the Standard Webhooks way."""
    _standard_key(secret)


def new_secret() -> str:
    """Return a fresh random secret, fit for both schemes: `whsec_` and 32 bytes in base64."""
    return STANDARD_PREFIX + base64.b64encode(randomness.token_bytes(32)).decode("ascii")


def _keys(secrets: Sequence[str], key_of: _KeyOf) -> list[bytes]:
    if not secrets:
        problem = "a hook needs at least one secret"
        raise SecretError(problem)
    return [key_of(secret) for secret in secrets]


def _plain_key(secret: str) -> bytes:
    if not secret.strip():
        problem = "the secret is empty: anybody could sign with it; set a random one"
        raise SecretError(problem)
    return secret.encode()


def _standard_key(secret: str) -> bytes:
    text = secret.removeprefix(STANDARD_PREFIX)
    _plain_key(text)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        problem = f"the secret is not {STANDARD_PREFIX} and base64; make one with new_secret()"
        raise SecretError(problem, code="malformed-secret") from None


def _told_hex(told: str | None, prefix: str) -> bytes:
    if not told:
        _refuse("missing", "the delivery is not signed; set the hook's secret at the forge")
    if not told.startswith(prefix) or not _HEX.fullmatch(told.removeprefix(prefix)):
        _refuse("malformed", f"a signature is `{prefix}` and 64 hex digits")
    return bytes.fromhex(told.removeprefix(prefix))


def _told_message(headers: Mapping[str, str], now: float, tolerance: float) -> tuple[str, str]:
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or not timestamp:
        _refuse("missing", "webhook-id and webhook-timestamp are needed")
    # A full stop separates what is signed: an id that holds one could be read in two ways.
    if not _MESSAGE_ID.fullmatch(message_id) or not _SECONDS.fullmatch(timestamp):
        _refuse("malformed", "webhook-id is ASCII without a full stop, webhook-timestamp seconds")
    if abs(now - int(timestamp)) > tolerance:
        _refuse("expired", f"webhook-timestamp is more than {tolerance:.0f} s from now")
    return message_id, timestamp


def _told_standard(told: str | None) -> list[bytes]:
    if not told:
        _refuse("missing", "webhook-signature is needed")
    found = list(_candidates(told.split(" ")))
    if not found:
        _refuse("malformed", "webhook-signature holds no `v1,` and base64")
    return found


def _candidates(entries: Iterable[str]) -> Iterable[bytes]:
    for entry in entries:
        version, _, text = entry.partition(",")
        if version == "v1" and text:
            try:
                yield base64.b64decode(text, validate=True)
            except ValueError:
                continue


def _standard_mac(key: bytes, message_id: str, timestamp: str, body: bytes) -> HMAC:
    return _mac(key, f"{message_id}.{timestamp}.".encode(), body)


def _mac(key: bytes, *parts: bytes) -> HMAC:
    mac = HMAC(key, SHA256())
    for part in parts:
        mac.update(part)
    return mac


def _agrees(mac: HMAC, told: bytes) -> bool:
    try:
        mac.copy().verify(told)
    except InvalidSignature:
        return False
    return True


def _refuse(reason: str, message: str) -> NoReturn:
    raise SignatureError(message, code=f"signature-{reason}")
