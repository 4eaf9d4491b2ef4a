"""Where deliveries arrive: limit, raw bytes, signature, parse, accept, and an answer at once.

No forge call, no git and no YAML happen in here: what a delivery asks for is kept by the inbox in
one transaction, and done later by somebody else.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from webhooks import payloads
from webhooks.deliveries import Delivery, Hook, Inbox, Receipt
from webhooks.errors import (
    InboxUnavailable,
    SecretError,
    SignatureError,
    TooLarge,
    UnsupportedType,
    WebhookError,
)
from webhooks.forges.base import Events, Forge, Ignored
from webhooks.signatures import new_secret
from webhooks.texts import shown

LIMIT = 25 * 1024 * 1024
PATH = "/hooks/{forge}/{hook_id}"

# One text for an unknown hook and for a wrong signature, so that hooks cannot be searched for.
UNVERIFIED = "no hook at this address takes this signature"

_HOOK_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_LENGTH = re.compile(r"[0-9]{1,20}")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Receiver:
    """An ASGI application for the one route that forges deliver to.

    `forges` are looked up by the name in the URL, `clock` tells epoch seconds, `limit` is the
    largest body in bytes.
    """

    def __init__(
        self,
        inbox: Inbox,
        forges: Mapping[str, Forge],
        clock: Callable[[], float] = time.time,
        limit: int = LIMIT,
    ) -> None:
        self._inbox = inbox
        self._forges = forges
        self._clock = clock
        self._limit = limit
        # What an unknown hook's deliveries are checked against: it takes as long and never fits.
        self._decoy = (new_secret(),)

    def routes(self) -> list[BaseRoute]:
        """Return the route to mount, at the root of the application."""
        return [Route(PATH, self, name="hooks")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        forge = self._forges.get(request.path_params["forge"])
        if request.method != "POST":
            return _refusal(405, "method", "deliveries are sent with POST", Allow="POST")
        if forge is None:
            names = ", ".join(sorted(self._forges))
            return _refusal(404, "unknown-forge", f"no such forge; there are {names}")
        try:
            return _told(await self._received(request, forge))
        except (SignatureError, SecretError):
            return _refusal(401, "unverified", UNVERIFIED)
        except InboxUnavailable as error:
            wait = {"Retry-After": str(error.retry_after)}
            return _refusal(503, error.code, "try again later", **wait)
        except TooLarge as error:
            # The rest of the body is still on its way; nobody is going to read it.
            return _refusal(error.status, error.code, str(error), Connection="close")
        except WebhookError as error:
            return _refusal(error.status, error.code, str(error))

    async def _received(self, request: Request, forge: Forge) -> Receipt:
        headers = _folded(request)
        try:
            _check_type(forge, headers)
            body = await self._read(request, headers)
        except (TooLarge, UnsupportedType) as error:
            await run_in_threadpool(self._inbox.refuse, None, error.code, self._clock())
            raise
        hook_id = request.path_params["hook_id"]
        return await run_in_threadpool(self.take, forge, hook_id, headers, body)

    async def _read(self, request: Request, headers: Mapping[str, str]) -> bytes:
        told = headers.get("content-length", "")
        if _LENGTH.fullmatch(told) and int(told) > self._limit:
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._limit:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"a delivery may be {self._limit} bytes long")

    def take(self, forge: Forge, hook_id: str, headers: Mapping[str, str], body: bytes) -> Receipt:
        """Verify, parse and accept one delivery, without any ASGI around it.

        `headers` have lower-case names. Raises the WebhookError that says why not; each but
        InboxUnavailable has been counted by the inbox before.
        """
        now = self._clock()
        hook = None
        try:
            hook = self._inbox.hook(hook_id) if _HOOK_ID.fullmatch(hook_id) else None
            known = self._verified(hook, forge, headers, body, now)
            return self._inbox.accept(_delivery(known, forge, headers, body, now))
        except InboxUnavailable:
            raise
        except WebhookError as error:
            self._inbox.refuse(hook, error.code, now)
            raise

    def _verified(
        self, hook: Hook | None, forge: Forge, headers: Mapping[str, str], body: bytes, now: float
    ) -> Hook:
        if hook is not None and hook.forge == forge.name:
            forge.verify(hook.secrets, headers, body, now)
            return hook
        forge.verify(self._decoy, headers, body, now)
        raise SignatureError(UNVERIFIED)


def _delivery(
    hook: Hook, forge: Forge, headers: Mapping[str, str], body: bytes, now: float
) -> Delivery:
    parsed = forge.parse(headers, body)
    return Delivery(
        hook=hook,
        forge_id=forge.delivery_id(headers, body),
        event=forge.event_name(headers),
        events=parsed.events if isinstance(parsed, Events) else (),
        ignored=parsed.reason if isinstance(parsed, Ignored) else None,
        received_at=now,
        body_digest=hashlib.sha256(body).hexdigest(),
    )


def _folded(request: Request) -> dict[str, str]:
    # A header sent twice is joined, as HTTP has it, and so fits no signature.
    folded: dict[str, str] = {}
    for name, value in request.headers.items():
        folded[name] = f"{folded[name]}, {value}" if name in folded else value
    return folded


def _check_type(forge: Forge, headers: Mapping[str, str]) -> None:
    told = payloads.media_type(headers)
    if told not in forge.media_types:
        fine = " or ".join(sorted(forge.media_types))
        problem = f"the content type is {shown(told)}; {forge.name} delivers {fine}"
        raise UnsupportedType(problem)


def _told(receipt: Receipt) -> Response:
    if receipt.ignored is not None:
        return _answer(202, {"delivery": receipt.delivery, "ignored": receipt.ignored})
    runs = [asdict(run) for run in receipt.runs]
    told = {"delivery": receipt.delivery, "runs": runs, "follow": receipt.follow}
    return _answer(202, told)


def _refusal(status: int, code: str, message: str, **headers: str) -> Response:
    return _answer(status, {"error": code, "message": message}, **headers)


def _answer(status: int, content: Mapping[str, object], **headers: str) -> Response:
    # ASCII only: whatever text got this far, rendering it cannot fail.
    body = json.dumps(content, ensure_ascii=True).encode("ascii")
    return Response(body, status, {**_HEADERS, **headers}, media_type=payloads.JSON_TYPE)
