"""What the receiver hands on and what it gets back: deliveries in, receipts out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from pipelines.events import Event
from webhooks.errors import SecretError


@dataclass(frozen=True)
class Hook:
    """Where one repository's deliveries arrive.

    `id` is the unguessable part of the URL, `forge` the name of the forge that may use it. Any of
    `secrets` may have signed; SecretError if there is none or one is empty.
    """

    id: str
    repository: str
    forge: str
    secrets: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.secrets or not all(secret.strip() for secret in self.secrets):
            problem = f"hook {self.id} has an empty secret: anybody could sign for it"
            raise SecretError(problem)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One verified message of a forge.

    `forge_id` is what the forge calls it (the digest of its body if it has no name), `event` the
    forge's word for what happened. Either `events` holds what it tells, or `ignored` says why it
    starts nothing. `received_at` is seconds since the epoch, `body_digest` SHA-256 in hex.
    """

    hook: Hook
    forge_id: str
    event: str
    events: tuple[Event, ...] = ()
    ignored: str | None = None
    received_at: float
    body_digest: str


@dataclass(frozen=True)
class RunRef:
    """A run as the sender of a delivery is told of it; `ref` is the full name of its ref."""

    id: str
    number: int
    url: str
    ref: str


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What became of a delivery.

    `delivery` is its forge id and `runs` the runs its events led to, each once, in the order of
    the events; runs of an act that was told before are those of the first telling. `duplicate` is
    true if nothing new was written but the delivery itself. `follow` is a URL path at which the
    runs' progress can be read as lines of text, None if there is none.
    """

    delivery: str
    runs: tuple[RunRef, ...] = ()
    duplicate: bool = False
    ignored: str | None = None
    follow: str | None = None


class Inbox(Protocol):
    """Keeps deliveries and makes runs of them; called from worker threads, many at once.

    Each method may raise InboxUnavailable. The contract suite in
    `tests/webhooks/inbox_contract.py` runs against every implementation.
    """

    def hook(self, hook_id: str) -> Hook | None:
        """Return the hook with this id, or None."""
        ...

    def accept(self, delivery: Delivery) -> Receipt:
        """Keep a delivery and make the runs it asks for, in one transaction.

        A forge id seen before on this hook gives the receipt of the first time, marked as a
        duplicate. An event with the `pipelines.events.key_of` of the newest act on its ref leads to
        that act's run; an empty key is never told before. A ref that went elsewhere in between and
        came back is another act.
        """
        ...

    def refuse(self, hook: Hook | None, reason: str, at: float) -> None:
        """Count a delivery that was refused; `reason` is an error's code, `at` epoch seconds."""
        ...
