"""How a delivery and its event are called: from the forge's headers, made fit to be kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from webhooks.errors import PayloadError
from webhooks.forges.base import Ignored
from webhooks.payloads import JsonObject
from webhooks.texts import clean, line


def first(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    """Return the first of these headers that has a value, cleaned; empty if none has."""
    return next((clean(headers[name]) for name in names if headers.get(name)), "")


def delivery_id(headers: Mapping[str, str], names: tuple[str, ...], body: bytes) -> str:
    """Return the id in the first of these headers, or the SHA-256 of the body in hex."""
    return first(headers, names) or hashlib.sha256(body).hexdigest()


def event(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    """Return the event's name in the first of these headers; PayloadError if none says it."""
    found = first(headers, names)
    if not found:
        problem = f"the delivery does not say its event; {names[0]} is missing"
        raise PayloadError(problem)
    return found


def ignored(event_name: str, document: JsonObject) -> Ignored:
    """Return why an event that Hookline does not run on starts nothing, by its name and action."""
    if event_name == "ping":
        return Ignored("ping")
    detail = clean(document.get("action") or document.get("ref_type"))
    told = f"{event_name} ({detail})" if detail else event_name
    return Ignored(line(f"{told} starts no run", 255))
