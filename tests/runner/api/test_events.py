from __future__ import annotations

from runner.api.events import Silence, event


def test_an_event_is_one_line_of_data() -> None:
    assert event("line", {"text": "a\n\nb\r\u2028"}, "7") == (
        b'id: 7\nevent: line\ndata: {"text":"a\\n\\nb\\r\\u2028"}\n\n'
    )
    assert event("x", []) == b"event: x\ndata: []\n\n"


def test_silence_is_counted_until_it_is_broken() -> None:
    silence = Silence(10)
    assert [silence.too_long(4) for _ in range(4)] == [False, False, True, False]
    silence.broken()
    assert [silence.too_long(4) for _ in range(3)] == [False, False, True]
