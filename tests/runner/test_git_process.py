"""Commands end, with everything they started, and say what they said without secrets."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from runner.git_errors import CommandFailed, GitError, TimedOut
from runner.git_process import BrokeOff, Commands

PATH = {"PATH": os.environ["PATH"]}


def shell(
    arguments: Sequence[str], environment: Mapping[str, str], *, listens: bool
) -> subprocess.Popen[bytes]:
    """Start a shell script, the last argument, where git would be started."""
    return subprocess.Popen(
        ["sh", "-c", arguments[-1]],
        env=dict(environment),
        stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def commands(timeout: float = 30.0, secrets: tuple[str, ...] = ()) -> Commands:
    return Commands(start=shell, options=(), environment=PATH, timeout=timeout, secrets=secrets)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that ended and waits for its parent does not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_a_command_gives_its_code_output_and_complaint() -> None:
    finished = commands().run("verb", "cat; echo oh >&2; exit 3", listen_to=b"in")
    assert (finished.code, finished.output, finished.error) == (3, b"in", "oh")


def test_a_command_without_input_reads_nothing() -> None:
    assert commands().check("verb", "cat; echo done") == b"done\n"


def test_a_failure_carries_the_reason() -> None:
    with pytest.raises(CommandFailed, match=r"git verb failed with exit code 2: no; really"):
        commands().check("verb", "printf 'no\\nreally\\r\\n\\n' >&2; exit 2")


def test_a_failure_without_words_says_so() -> None:
    with pytest.raises(CommandFailed, match="it gave no reason"):
        commands().check("verb", "exit 1")


def test_what_a_remote_says_steers_no_terminal_and_tells_no_secret() -> None:
    said = commands(secrets=("hunter2",)).run("verb", r"printf 'a\033[31mb\007 hunter2' >&2").error
    assert said == "a[31mb ***"


def test_a_long_complaint_keeps_its_end() -> None:
    said = commands().run("verb", "yes no | head -c 5000 >&2; echo fatal: why >&2").error
    assert len(said) == 1001
    assert said.endswith("fatal: why")


def test_a_command_that_takes_too_long_ends_with_its_children(tmp_path: Path) -> None:
    script = f"sleep 300 & echo $! > {tmp_path}/child; sleep 300"
    with pytest.raises(TimedOut, match=r"git verb did not go on within 0.3 seconds"):
        commands(timeout=0.3).run("verb", script)
    assert not is_alive(int((tmp_path / "child").read_text()))


def test_a_command_that_does_not_listen_to_reason_is_killed(tmp_path: Path) -> None:
    script = f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 1; done"
    with pytest.raises(TimedOut):
        commands(timeout=0.5).run("verb", script)
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_a_child_that_outlives_its_parent_is_killed_too(tmp_path: Path) -> None:
    stubborn = "trap '' TERM; while :; do sleep 1; done"
    script = f'sh -c "{stubborn}" & echo $! > {tmp_path}/child; wait'
    with pytest.raises(TimedOut):
        commands(timeout=0.5).run("verb", script)
    assert not is_alive(int((tmp_path / "child").read_text()))


def test_a_conversation_asks_and_hears() -> None:
    with commands().talk("verb", "while read line; do echo got $line; done") as talk:
        for word in (b"one", b"two"):
            talk.say(word + b"\n")
            assert talk.until(b"\n") == b"got " + word


def test_a_conversation_reads_across_the_edges_of_pipes() -> None:
    with commands().talk("verb", "head -c 200000 /dev/zero; printf 'a;b;'") as talk:
        assert talk.exactly(200_000) == bytes(200_000)
        assert [talk.until(b";"), talk.until(b";"), talk.until(b";")] == [b"a", b"b", None]


def test_a_conversation_that_breaks_off_gives_the_reason() -> None:
    with (
        pytest.raises(CommandFailed, match="exit code 128: fatal: broken"),
        commands().talk("verb", "printf half; echo fatal: broken >&2; exit 128") as talk,
    ):
        talk.exactly(10)


def test_a_conversation_that_breaks_off_in_silence_is_a_failure_too() -> None:
    with (
        pytest.raises(CommandFailed, match="exit code 0: its output broke off"),
        commands().talk("verb", "printf half") as talk,
    ):
        talk.until(b";")


def test_a_conversation_that_fails_in_the_end_is_heard() -> None:
    with (
        pytest.raises(CommandFailed, match="exit code 7: late"),
        commands().talk("verb", "echo x; echo late >&2; exit 7") as talk,
    ):
        assert talk.until(b"\n") == b"x"


def test_one_who_does_not_listen_is_not_waited_for() -> None:
    def speak() -> None:
        with commands().talk("verb", "exec <&-; echo x; exit 5") as talk:
            assert talk.until(b"\n") == b"x"
            talk.say(b"hello")
            raise BrokeOff

    with pytest.raises(CommandFailed, match="exit code 5: its output broke off"):
        speak()


def test_a_conversation_waits_no_longer_than_it_may() -> None:
    with pytest.raises(TimedOut), commands(timeout=0.2).talk("verb", "sleep 300") as talk:
        talk.until(b"\n")


def test_a_conversation_that_does_not_end_is_ended() -> None:
    with (
        pytest.raises(TimedOut),
        commands(timeout=0.5).talk("verb", "echo x; exec sleep 300") as talk,
    ):
        talk.until(b"\n")


def leave(script: str) -> None:
    """Leave a conversation in the middle."""
    with commands().talk("verb", script) as talk:
        talk.until(b"\n")
        raise KeyError


def test_a_conversation_left_early_ends_the_command(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        leave(f"echo $$ > {tmp_path}/pid; echo x; sleep 300")
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_a_process_that_ended_by_itself_is_no_trouble() -> None:
    with pytest.raises(KeyError):
        leave(f"kill -{int(signal.SIGKILL)} $$")


def test_a_process_without_pipes_cannot_be_talked_to() -> None:
    def deaf(
        arguments: Sequence[str], environment: Mapping[str, str], *, listens: bool
    ) -> subprocess.Popen[bytes]:
        return shell(arguments, environment, listens=False)

    silent = Commands(start=deaf, options=(), environment=PATH, timeout=30)
    with pytest.raises(GitError, match="without a pipe"), silent.talk("verb", "true"):
        pass


def test_more_options_come_after_those_that_are_there() -> None:
    more = commands().having("-c", "a=b", environment={"X": "y"}, secrets=("s",))
    assert (more.options, more.environment, more.secrets) == (("-c", "a=b"), {"X": "y"}, ("s",))
    assert commands().having().environment == PATH
    assert "hunter2" not in repr(commands(secrets=("hunter2",)))
