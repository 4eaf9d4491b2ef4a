"""What can go wrong at the edge to the forges, each with a stable code and an HTTP status.

WebhookError
├── SignatureError    401  missing, malformed, wrong or too old; never holds the expected MAC
├── SecretError       401  the hook's own secret is empty or malformed, so nobody can sign for it
├── PayloadError      400  not the JSON that this forge sends, or a name git would not carry
├── TooLarge          413  more bytes than the limit
├── UnsupportedType   415  a content type that this forge does not send
├── InboxUnavailable  503  what would keep the delivery is away; to be tried again
├── TargetError       500  a status cannot be addressed with what is configured
└── InstallError      500  a git hook cannot be put into this repository
"""

from __future__ import annotations

from typing import ClassVar


class WebhookError(Exception):
    """The root of what this package raises; `code` is stable and documented."""

    code: str = "webhook"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        if code:
            self.code = code


class SignatureError(WebhookError):
    """A delivery that its hook's secrets do not vouch for."""

    code = "signature-wrong"
    status = 401


class SecretError(WebhookError):
    """A secret that cannot be used: without one, anybody could compute the signature."""

    code = "empty-secret"
    status = 401


class PayloadError(WebhookError):
    """A verified delivery that is not what this forge sends."""

    code = "payload"
    status = 400


class TooLarge(WebhookError):
    """A body beyond the limit; nothing past the limit was read."""

    code = "too-large"
    status = 413


class UnsupportedType(WebhookError):
    """A body in a content type that this forge does not send."""

    code = "content-type"
    status = 415


class InboxUnavailable(WebhookError):
    """The inbox cannot keep anything now; worth another try after `retry_after` seconds."""

    code = "unavailable"
    status = 503

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TargetError(WebhookError):
    """A status that has no address: the configured repository or API address is not usable."""

    code = "target"


class InstallError(WebhookError):
    """A git hook that cannot be installed or removed here; the message says what would be right."""

    code = "install"
