"""The API tokens that were given out."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from runner.database.rows import every, first
from runner.database.tables import tokens
from runner.tokens import Token, id_of

_USE_SECONDS = 60.0


def add(tx: Connection, token: Token) -> None:
    """Write what is kept of a new token."""
    tx.execute(insert(tokens).values(vars(token)))


def find(tx: Connection, token_id: str) -> Token | None:
    """Return the token with this id, usable or not."""
    return first(tx, select(tokens).where(tokens.c.id == token_id), Token)


def known(tx: Connection, text: str, now: float) -> Token | None:
    """Return the usable token that `text` is; None for any other text. It only reads."""
    token_id = id_of(text)
    token = find(tx, token_id) if token_id else None
    if token is None or not token.matches(text) or not token.usable(now):
        return None
    return token


def used(tx: Connection, token: Token, now: float) -> None:
    """Write that a token was used."""
    tx.execute(update(tokens).where(tokens.c.id == token.id).values(last_used_at=now))


def use_is_news(token: Token, now: float) -> bool:
    """Return whether a use is worth writing down: not more than once a minute."""
    return token.last_used_at is None or now - token.last_used_at >= _USE_SECONDS


def revoke(tx: Connection, token_id: str, at: float) -> bool:
    """Take a token's force away for good; return whether it had any."""
    here = (tokens.c.id == token_id) & tokens.c.revoked_at.is_(None)
    return tx.execute(update(tokens).where(here).values(revoked_at=at)).rowcount == 1


def listing(tx: Connection) -> list[Token]:
    """Return every token, oldest first, revoked ones included."""
    return every(tx, select(tokens).order_by(tokens.c.created_at, tokens.c.id), Token)
