from __future__ import annotations

import pytest

from runner.workspace.zstd import Undecodable, compress, decompress


@pytest.mark.parametrize("data", [b"", b"x", b"text " * 10_000])
def test_a_frame_gives_back_what_it_holds(data: bytes) -> None:
    assert decompress(compress(data), len(data)) == data


def test_a_frame_above_the_limit_is_refused_before_it_is_unpacked() -> None:
    bomb = compress(bytes(100_000_000))
    with pytest.raises(Undecodable, match="more than 1000 bytes"):
        decompress(bomb, 1000)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (compress(b"text")[:-1], "ends too early"),
        (compress(b"text") + b"more", "bytes follow"),
        (b"", "ends too early"),
        (b"this is no frame", "Unknown frame descriptor|does not match"),
    ],
)
def test_what_is_not_one_frame_is_refused(frame: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why):
        decompress(frame, 1000)
