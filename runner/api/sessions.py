"""Sessions: what a browser keeps so that its visitor need not send the token each time.

The cookie is sealed with the instance's key and says which token was pasted and until when that is
good. The token itself is not in it, and revoking the token ends its sessions.
"""

from __future__ import annotations

import json

from starlette.responses import Response

from runner.secrets import Keyring, SecretError
from runner.tokens import Token

SECONDS = 7 * 86400
_CONTEXT = "session"
_LONGEST = 1024


def cookie_name(base_url: str) -> str:
    """Return the cookie's name; behind https the prefix binds it to this very host (RFC 6265bis)."""
    return "__Host-hookline" if _is_secure(base_url) else "hookline"


def begin(response: Response, keyring: Keyring, base_url: str, token: Token, now: float) -> None:
    """Let the browser keep a session for a token that was just shown to be known."""
    content = json.dumps({"token": token.id, "until": now + SECONDS})
    response.set_cookie(
        cookie_name(base_url),
        keyring.encrypt(content, _CONTEXT),
        max_age=SECONDS,
        path="/",
        secure=_is_secure(base_url),
        httponly=True,
        samesite="lax",
    )


def end(response: Response, base_url: str) -> None:
    """Let the browser forget its session."""
    response.delete_cookie(
        cookie_name(base_url),
        path="/",
        secure=_is_secure(base_url),
        httponly=True,
        samesite="lax",
    )


def token_id(keyring: Keyring, cookie: str, now: float) -> str | None:
    """Return the id of the token that a cookie stands for; None for any that is not good now."""
    if len(cookie) > _LONGEST:
        return None
    try:
        content = json.loads(keyring.decrypt(cookie, _CONTEXT))
    except SecretError:
        return None
    return str(content["token"]) if now < content["until"] else None


def _is_secure(base_url: str) -> bool:
    return base_url.startswith("https:")
