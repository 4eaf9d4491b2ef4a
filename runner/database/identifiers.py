"""Names that are given without asking anybody: they cannot be guessed, and a run's sorts by time."""

from __future__ import annotations

import secrets

# Crockford's alphabet in lower case: sorts like the numbers it spells, has no i, l, o and u, and
# never begins an option on a command line.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26


def run_id(now: float) -> str:
    """Return a run's id: 48 bits of milliseconds since the epoch, then 80 random bits."""
    return _spell((int(now * 1000) & (2**48 - 1)) << 80 | secrets.randbits(80))


def random_id() -> str:
    """Return an id of 128 random bits."""
    return _spell(secrets.randbits(128))


def _spell(number: int) -> str:
    shifts = range(5 * (_LENGTH - 1), -1, -5)
    return "".join(_ALPHABET[number >> shift & 31] for shift in shifts)
