"""The one place that knows where zstd comes from: the standard library, or its twin before 3.14."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd as _zstd
else:
    from backports import zstd as _zstd

# The fastest level that is always worth its time; what cannot be compressed passes at the speed of
# memory, because the compressor notices early.
_LEVEL = 1


class Undecodable(ValueError):
    """These bytes are not the one zstd frame, of at most so many bytes, that was expected."""


def compress(data: bytes) -> bytes:
    """Return one zstd frame that holds `data`."""
    return _zstd.compress(data, _LEVEL)


def decompress(frame: bytes, limit: int) -> bytes:
    """Return what one frame holds; raise `Undecodable` if it is damaged or above `limit` bytes."""
    decoder = _zstd.ZstdDecompressor()
    try:
        data = decoder.decompress(frame, limit + 1)
    except _zstd.ZstdError as error:
        raise Undecodable(str(error)) from error
    if len(data) > limit:
        message = f"it holds more than {limit} bytes"
        raise Undecodable(message)
    if not decoder.eof or decoder.unused_data:
        message = "it ends too early" if not decoder.eof else "bytes follow its end"
        raise Undecodable(message)
    return data
