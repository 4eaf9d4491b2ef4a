"""Answers: JSON that can always be encoded, errors in their one form, and streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import chain

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from runner.api.errors import ApiError
from runner.api.headers import SANDBOX, SECURITY


def answer(content: object, status: int = 200, **headers: str) -> Response:
    """Return JSON. It is ASCII, so that no text, however broken, can keep it from being sent."""
    body = json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return Response(body, status, headers, media_type="application/json")


def nothing() -> Response:
    """Return the answer to what was done and has nothing to say."""
    return Response(status_code=204)


def problem(error: ApiError) -> Response:
    """Return an error as JSON, with every header it needs."""
    return answer(error.content, error.status, **SECURITY, **error.headers)


def plain(chunks: Iterator[bytes]) -> Response:
    """Return text that somebody else wrote; what is wrong with its first chunk is raised here."""
    return StreamingResponse(
        _begun(chunks), media_type="text/plain; charset=utf-8", headers=SANDBOX
    )


def download(chunks: Iterator[bytes], name: str, size: int, digest: str) -> Response:
    """Return bytes that somebody else wrote, to be saved and never shown."""
    headers = {
        **SANDBOX,
        "Content-Disposition": _attachment(name),
        "Content-Length": str(size),
        "ETag": f'"{digest}"',
    }
    media_type = "application/octet-stream"
    return StreamingResponse(_begun(chunks), media_type=media_type, headers=headers)


def live(
    request: Request, parts: AsyncIterator[bytes], media_type: str, headers: Mapping[str, str] = {}
) -> Response:
    """Return a stream that goes on while there is news; no proxy should hold it back."""
    told = {"X-Accel-Buffering": "no", **headers}
    if request.method == "HEAD":
        return Response(media_type=media_type, headers=told)
    return StreamingResponse(parts, media_type=media_type, headers=told)


def _begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Return the same chunks, the first of them made now: its errors still have an answer."""
    first = next(chunks, b"")
    return chain((first,), chunks)


def _attachment(name: str) -> str:
    """Return the header for a file name (RFC 6266), in ASCII and, encoded, as it is."""
    plain_name = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    whole = "".join(
        c
        if c.isascii() and (c.isalnum() or c in "._-")
        else "".join(f"%{b:02X}" for b in _bytes(c))
        for c in name
    )
    return f"attachment; filename=\"{plain_name}\"; filename*=UTF-8''{whole}"


def _bytes(char: str) -> bytes:
    return char.encode("utf-8", "replace")
