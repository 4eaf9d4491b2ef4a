"""Bodies and query strings: bounded, of the right type, with exactly the fields that there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pipelines.suggestions import did_you_mean
from runner.api.errors import ApiError, BadField, BadJson, BadParameter, TooLarge, WrongType

LIMIT = 64 * 1024

Handler: TypeAlias = Callable[[Request, bytes], Response]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


class Fields(BaseModel):
    """The fields of a body; subclasses name them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Parameters(BaseModel):
    """The parameters of a query string; subclasses name them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


M = TypeVar("M", bound=Fields)
Q = TypeVar("Q", bound=Parameters)


def with_body(handler: Handler, limit: int = LIMIT) -> Endpoint:
    """Return an endpoint that reads the body and leaves the rest to `handler`, in a thread.

    The handler asks who the visitor is before it looks into the body.
    """

    async def endpoint(request: Request) -> Response:
        try:
            body = await read(request, limit)
        except ClientDisconnect:
            return Response(status_code=400)
        return await run_in_threadpool(handler, request, body)

    endpoint.__name__ = getattr(handler, "__name__", "endpoint")
    return endpoint


async def read(request: Request, limit: int = LIMIT) -> bytes:
    """Return a request's body; raise `TooLarge` beyond `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"the body is longer than {limit} bytes", cure="send less")
        chunks.append(chunk)
    return b"".join(chunks)


def fields_of(request: Request, body: bytes, model: type[M]) -> M:
    """Return the fields of a JSON body; raise `WrongType`, `BadJson` or `BadField`.

    To ask for JSON is also what keeps forms of other sites out.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        message = f"the body is of type {kind[:80] or 'none'}"
        raise WrongType(message, cure="send JSON with `Content-Type: application/json`")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error, model, BadField) from None


def parameters_of(request: Request, model: type[Q]) -> Q:
    """Return the parameters of a request's query string; raise `BadParameter`."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise BadParameter(f"the parameter {name[:80]!r} is given twice", cure="give it once")
        given[name] = value
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _refusal(error, model, BadParameter) from None


def _refusal(
    error: ValidationError, model: type[BaseModel], kind: type[BadField | BadParameter]
) -> ApiError:
    """Return the first thing that is wrong, in words."""
    first = error.errors(include_url=False, include_input=False)[0]
    names = [field.alias or name for name, field in model.model_fields.items()]
    known = f"there are {', '.join(names)}" if names else "there are none"
    if first["type"] == "json_invalid":
        return BadJson("the body is not JSON", cure=f"send an object; its fields: {known}")
    if not first["loc"]:
        return BadJson("the body is not a JSON object", cure=f"send an object; its fields: {known}")
    name = ".".join(str(part) for part in first["loc"])[:80]
    if first["type"] == "extra_forbidden":
        return kind(f"{name!r} is not known", cure=did_you_mean(name, names) or known)
    if first["type"] == "missing":
        return kind(f"{name!r} is missing", cure=known)
    return kind(f"{name!r} is wrong: {first['msg']}", cure="correct it and send it again")
