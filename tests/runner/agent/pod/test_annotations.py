from __future__ import annotations

import signal
import threading
from pathlib import Path

from runner.agent.pod.annotations import GO, STOP, Annotations, wait_for_go, watch_for_stop


def replace(path: Path, text: str) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(text)
    fresh.replace(path)


def test_a_line_is_there_or_not(tmp_path: Path) -> None:
    path = tmp_path / "annotations"
    path.write_text('a="hookline.dev/stop=\\"1\\""\nhookline.dev/go="1"\nb="2"')
    annotations = Annotations(str(path))
    assert annotations.say(GO)
    assert not annotations.say(STOP)


def test_a_value_that_is_not_meant_is_none(tmp_path: Path) -> None:
    path = tmp_path / "annotations"
    path.write_text('hookline.dev/go=""\nxhookline.dev/go="1"\n')
    assert not Annotations(str(path)).say(GO)


def test_a_file_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "annotations"
    annotations = Annotations(str(path))
    assert not annotations.say(GO)
    path.write_text("")
    assert not annotations.say(GO)
    replace(path, GO)
    assert annotations.say(GO)


def test_what_was_said_stays_said_while_the_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "annotations"
    path.write_bytes(GO.encode() + b'\nx="\xff"\n')
    annotations = Annotations(str(path))
    assert annotations.say(GO)
    path.unlink()
    assert annotations.say(GO)


def test_to_wait_is_to_look_until_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "annotations"
    annotations = Annotations(str(path))
    later = threading.Timer(0.1, lambda: replace(path, GO))
    later.start()
    assert wait_for_go(annotations)
    replace(path, f"{GO}\n{STOP}\n")
    assert not wait_for_go(annotations)
    later.join()


def test_a_wish_to_stop_becomes_a_signal(tmp_path: Path) -> None:
    path = tmp_path / "annotations"
    path.write_text(GO)
    heard = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: heard.set())
    try:
        watch_for_stop(Annotations(str(path)))
        assert not heard.wait(0.15)
        replace(path, STOP)
        assert heard.wait(60)
    finally:
        signal.signal(signal.SIGTERM, before)
