"""What the API refuses and why: each error has a stable code, an HTTP status and a cure.

ApiError
├── BadJson          400  the body is not JSON, or not an object
├── BadParameter     400  a query parameter or header is unknown, missing or wrong
├── Unauthenticated  401  no token or session, or one that is not valid
├── Forbidden        403  the token is valid but does not allow this
├── ForeignOrigin    403  a request with a session cookie that another site made
├── NotFound         404  there is no such thing, or none that this visitor may know of
├── WrongMethod      405  the address exists, the method does not
├── Conflict         409  the run is in no state in which this can be done
├── NameTaken        409  there is one of that name already
├── Gone             410  it was there; its retention has ended or its bytes are damaged
├── TooLarge         413  more bytes than the limit
├── WrongType        415  a body that is not `application/json`
├── BadField         422  a field of the body is unknown, missing or wrong
├── InternalError    500  a mistake of Hookline's own
└── Unavailable      503  the database or the object store is away; worth another try
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class ApiError(Exception):
    """The root of what the API answers with; `cure` says what would be right."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "api"

    def __init__(self, message: str, *, cure: str = "") -> None:
        self.message = message
        self.cure = cure
        super().__init__(message)

    @property
    def content(self) -> dict[str, Any]:
        """The body of the answer, as JSON values."""
        told = {"code": self.code, "message": self.message, "cure": self.cure}
        return {"error": told}

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the answer beside those that every answer has."""
        return {}


class BadJson(ApiError):
    """The body is not JSON, or not an object."""

    status = 400
    code = "bad-json"


class BadParameter(ApiError):
    """A query parameter or a header is unknown, missing or wrong."""

    status = 400
    code = "bad-parameter"


class Unauthenticated(ApiError):
    """There is no token and no session, or one that is not valid."""

    status = 401
    code = "unauthenticated"

    @property
    def headers(self) -> Mapping[str, str]:
        """The scheme to authenticate with (RFC 6750, section 3)."""
        return {"WWW-Authenticate": 'Bearer realm="hookline"'}


class Forbidden(ApiError):
    """The token is valid but does not allow this."""

    status = 403
    code = "forbidden"


class ForeignOrigin(ApiError):
    """A request with a session cookie that a page of another site made."""

    status = 403
    code = "foreign-origin"


class NotFound(ApiError):
    """There is no such thing, or none that this visitor may know of."""

    status = 404
    code = "not-found"


class WrongMethod(ApiError):
    """The address exists, but not with this method; `allowed` are those it has."""

    status = 405
    code = "wrong-method"

    def __init__(self, method: str, allowed: str) -> None:
        self.allowed = allowed
        super().__init__(f"this address takes no {method}", cure=f"it takes {allowed}")

    @property
    def headers(self) -> Mapping[str, str]:
        """The methods that the address takes (RFC 9110, section 15.5.6)."""
        return {"Allow": self.allowed}


class Conflict(ApiError):
    """The run is in no state in which this can be done."""

    status = 409
    code = "conflict"


class NameTaken(ApiError):
    """There is one of that name already."""

    status = 409
    code = "name-taken"


class Gone(ApiError):
    """It was there once; its retention has ended, or its bytes are damaged."""

    status = 410
    code = "gone"


class TooLarge(ApiError):
    """A body beyond the limit; the rest of it was not read."""

    status = 413
    code = "too-large"

    @property
    def headers(self) -> Mapping[str, str]:
        """Nobody is going to read what is still on its way."""
        return {"Connection": "close"}


class WrongType(ApiError):
    """A body that is not `application/json`."""

    status = 415
    code = "content-type"


class BadField(ApiError):
    """A field of the body is unknown, missing or wrong."""

    status = 422
    code = "bad-field"


class InternalError(ApiError):
    """A mistake of Hookline's own; what it was stands in the server's log."""

    status = 500
    code = "internal"


class Unavailable(ApiError):
    """The database or the object store is away; worth another try."""

    status = 503
    code = "unavailable"

    @property
    def headers(self) -> Mapping[str, str]:
        """When to try again, in seconds."""
        return {"Retry-After": "5"}
