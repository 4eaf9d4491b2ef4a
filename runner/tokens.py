"""API tokens: what they look like, what they allow, and why only a digest of them is kept.

A token reads `hkl_`, 43 letters and digits that carry 256 random bits, and 6 more that are a
checksum: a typing mistake is told apart from a token that is not known, and scanners for leaked
secrets can be sure of what they found. The first 8 of the 43 are the token's id, under which it is
looked up and shown; the 208 bits after it stay unknown to everybody but its holder.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "hkl_"
_ALPHABET = string.digits + string.ascii_letters
_BODY = 43
_CHECK = 6
_ID = 8


class Scope(StrEnum):
    """What a token allows; each one holds those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


_RANK = {scope: rank for rank, scope in enumerate(Scope)}


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token as it is kept; times are seconds since the epoch.

    `digest` is SHA-256 of the whole token in hex; `repository_id` narrows it to one repository.
    """

    id: str
    name: str
    digest: str
    scopes: tuple[Scope, ...]
    repository_id: int | None = None
    created_at: float
    expires_at: float | None = None
    last_used_at: float | None = None
    revoked_at: float | None = None

    def usable(self, now: float) -> bool:
        """Return whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, scope: Scope, repository_id: int | None = None) -> bool:
        """Return whether it allows `scope` on a repository, or on the instance with None."""
        if self.repository_id is not None and self.repository_id != repository_id:
            return False
        return any(_RANK[own] >= _RANK[scope] for own in self.scopes)

    def matches(self, text: str) -> bool:
        """Return whether `text` is this token; takes the same time wherever they differ."""
        return hmac.compare_digest(self.digest, digest_of(text))


def generate() -> str:
    """Return the text of a new token; it is shown once and never kept."""
    number = int.from_bytes(secrets.token_bytes(32))
    body = _base62(number, _BODY)
    return f"{PREFIX}{body}{_checksum(body)}"


def id_of(text: str) -> str | None:
    """Return the id in a token's text; None if it is mistyped or no token at all."""
    body = text.removeprefix(PREFIX)[:_BODY]
    if not text.isascii() or text != f"{PREFIX}{body}{_checksum(body)}" or len(body) != _BODY:
        return None
    return body[:_ID]


def digest_of(text: str) -> str:
    """Return SHA-256 of a token's text in hex. A token is random, so a slow hash adds nothing."""
    return hashlib.sha256(text.encode()).hexdigest()


def mint(
    name: str,
    scopes: Iterable[Scope],
    now: float,
    *,
    repository_id: int | None = None,
    expires_at: float | None = None,
) -> tuple[str, Token]:
    """Return a new token's text and what is kept of it."""
    text = generate()
    token = Token(
        id=text[len(PREFIX) :][:_ID],
        name=name,
        digest=digest_of(text),
        scopes=tuple(scopes),
        repository_id=repository_id,
        created_at=now,
        expires_at=expires_at,
    )
    return text, token


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode(errors="replace")), _CHECK)
