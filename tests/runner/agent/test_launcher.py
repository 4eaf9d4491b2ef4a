"""The launcher, compiled and driven over real FIFOs as the agent does it."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runner.agent.launching import (
    FIFOS,
    Launched,
    children,
    compile_launcher,
    compiler,
    control_fixture,
    eventually,
    header,
    is_gone,
    launched_fixture,
    launcher_fixture,
    make_fifos,
    order,
)

__all__ = ["control_fixture", "launched_fixture", "launcher_fixture"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it runs in Linux containers only")

GAVE_UP = 125
RESERVED = (32, 33, 34)
"""Signals that one libc or another uses itself."""
PYTHON = (sys.executable, "-I", "-S", "-c")
# Says which signal came, and ends when told to by SIGTERM.
LISTENER = """
import signal, sys
def told(number, frame):
    print(number, flush=True)
    if number == signal.SIGTERM:
        sys.exit(7)
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    try:
        signal.signal(number, told)
    except OSError:
        pass
print("ready", flush=True)
while True:
    signal.pause()
"""


# How a step ends.


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ("exit 0", 0, 0),
        ("exit 3", 3 << 8, 3),
        ("exit 255", 255 << 8, 255),
        ("kill -KILL $$", signal.SIGKILL, 137),
        ("kill -TERM $$", signal.SIGTERM, 143),
        ("exec sh -c 'exit 4'", 4 << 8, 4),
    ],
)
def test_the_end_is_the_commands_own(
    launched: Launched, script: str, status: int, code: int
) -> None:
    launched.shell(script)
    assert launched.line() == f"E {status} 0"
    assert launched.line() == ""
    assert launched.ends() == (code, "")


def test_nothing_runs_before_the_order(launched: Launched) -> None:
    assert launched.line() == "H"
    assert children(launched.first) == []


def test_all_that_was_printed_is_there_when_the_end_is_told(launched: Launched) -> None:
    launched.shell("i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done; echo no >&2")
    assert launched.line() == "E 0 0"
    assert launched.log.splitlines()[39999:] == [b"line 39999", b"no"]


def test_what_the_background_printed_is_there_too(launched: Launched) -> None:
    """Its death is what lets the log be whole."""
    launched.shell("sh -c 'while :; do echo more; done' & exec sleep 0.2")
    assert launched.line() == "E 0 0"
    known = launched.log
    assert known.startswith(b"more\n")
    assert launched.line() == ""
    assert launched.log == known


# What a step finds.


def test_the_step_runs_in_a_session_of_its_own_with_nothing_to_read(launched: Launched) -> None:
    launched.shell("echo $$; cut -d' ' -f5,6 /proc/$$/stat; readlink /proc/$$/fd/0; cat")
    assert launched.line() == "E 0 0"
    process, session, nothing = launched.log.decode().splitlines()
    assert session == f"{process} {process}"
    assert nothing == "/dev/null"


def test_the_step_holds_no_descriptor_but_the_usual_three(launched: Launched) -> None:
    launched.start(*PYTHON, "import os; print(os.listdir('/proc/self/fd')[:-1])")
    assert launched.line() == "E 0 0"
    assert launched.log == b"['0', '1', '2']\n"


def test_variables_come_on_top_of_the_containers(launcher: Path, control: Path) -> None:
    container = {
        "KEPT": "1",
        "CHANGED": "old",
        "CHANGED_TOO": "kept",
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "KUBERNETES_PORT": "tcp://10.0.0.1",
    }
    told = {"CHANGED": "new=er", "EMPTY": "", "KUBERNETES_VERSION": "the author's own"}
    with Launched([launcher, "run", control], control, environment=container) as launched:
        launched.start(shutil.which("env") or "env", variables=told)
        assert launched.line() == "E 0 0"
    assert sorted(launched.log.decode().splitlines()) == [
        "CHANGED=new=er",
        "CHANGED_TOO=kept",
        "EMPTY=",
        "KEPT=1",
        "KUBERNETES_VERSION=the author's own",
    ]


@pytest.mark.parametrize("where", ["container", "order"])
def test_the_command_is_searched_by_the_steps_own_path(
    launcher: Path, control: Path, tmp_path: Path, where: str
) -> None:
    program = tmp_path / "our-tool"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    path = {"PATH": f"/nowhere:{tmp_path}:/usr/bin:/bin"}
    container = path if where == "container" else {"PATH": "/usr/bin:/bin"}
    with Launched([launcher, "run", control], control, environment=container) as launched:
        launched.start("our-tool", variables=path if where == "order" else {})
        assert launched.line() == "E 0 0"
    assert launched.log == b"found\n"


def test_the_step_begins_where_the_order_says(launched: Launched, tmp_path: Path) -> None:
    launched.start("/bin/sh", "-c", "pwd -P", directory=str(tmp_path))
    assert launched.line() == "E 0 0"
    assert launched.log.decode() == f"{tmp_path.resolve()}\n"


def _ignore(number: int) -> None:
    """Ignore a signal by the kernel's own call, as a parent without a libc may have done."""
    libc = ctypes.CDLL(None)
    action = (ctypes.c_ulong * 8)(signal.SIG_IGN)
    rt_sigaction = 13 if platform.machine() == "x86_64" else 134
    assert libc.syscall(rt_sigaction, number, action, None, 8) == 0


def test_signals_are_what_a_new_process_expects(launcher: Path, control: Path) -> None:
    def burden() -> None:
        for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
        for reserved in RESERVED:
            _ignore(reserved)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])

    with Launched([launcher, "run", control], control, prepare=burden) as launched:
        launched.start("/bin/grep", "^Sig[BI]", "/proc/self/status")
        assert launched.line() == "E 0 0"
    assert [line.split()[1] for line in launched.log.splitlines()] == [b"0" * 16] * 2


# What keeps a step from starting.


WORDS = {
    errno.ENOENT: "No such file or directory",
    errno.EACCES: "Permission denied",
    errno.ENOEXEC: "Exec format error",
}


@pytest.mark.parametrize(
    ("command", "reason", "code"),
    [
        ("no-such-program", errno.ENOENT, 127),
        ("/no/such/program", errno.ENOENT, 127),
        ("./plain", errno.EACCES, 126),
        ("./broken", errno.ENOEXEC, 126),
        ("./orphan", errno.ENOENT, 127),
        ("", errno.ENOENT, 127),
    ],
)
def test_a_command_that_cannot_start(
    launched: Launched, tmp_path: Path, command: str, reason: int, code: int
) -> None:
    (tmp_path / "plain").write_text("echo no\n")
    (tmp_path / "broken").write_bytes(b"\x7fELF and no more")
    (tmp_path / "orphan").write_text("#!/no/such/interpreter\n")
    for name in ("broken", "orphan"):
        (tmp_path / name).chmod(0o755)
    assert launched.line() == "H"
    launched.write(order([command, "argument"], directory=str(tmp_path)))
    assert launched.line() == f"F {reason}"
    assert launched.line() == f"E {code << 8} 0"
    assert launched.ends() == (
        code,
        f"launcher: cannot start {command} in {tmp_path}: {WORDS[reason]}\n",
    )


def test_a_folder_that_is_not_there(launched: Launched) -> None:
    assert launched.line() == "H"
    launched.write(order(["true"], directory="/no/such/folder"))
    assert launched.line() == f"F {errno.ENOENT}"
    assert launched.ends()[0] == 127


def test_arguments_too_long_for_the_kernel(launched: Launched) -> None:
    assert launched.line() == "H"
    launched.write(order(["true", "x" * 200_000]))
    assert launched.line() == f"F {errno.E2BIG}"
    assert launched.ends()[0] == 126


# The order.


def test_a_big_order_arrives_whole(launched: Launched) -> None:
    values = {f"VALUE_{i}": "x" * 100_000 for i in range(10)}
    count = "import os; print(sum(len(v) for k, v in os.environ.items() if k.startswith('VALUE_')))"
    launched.start(*PYTHON, count, variables=values)
    assert launched.line() == "E 0 0"
    assert launched.log == b"1000000\n"


def test_an_order_may_come_in_pieces_and_a_word_right_behind_it(launched: Launched) -> None:
    assert launched.line() == "H"
    whole = order([*PYTHON, "import time; time.sleep(1000)"]) + b"T"
    for i in range(len(whole)):
        launched.write(whole[i : i + 1])
    assert launched.line() == "S"
    assert launched.line() == f"E {signal.SIGTERM.value} 0"


TEXTS = b"/\0true\0A=1\0"


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        (b"jump 1 2 3\n", 'not "run <bytes> <arguments> <variables>" but jump 1 2 3'),
        (b"run\n", 'not "run <bytes>'),
        (b"run 7 1\n", 'not "run <bytes>'),
        (b"run 7 1 0 9\n", 'not "run <bytes>'),
        (b"run 7 1 x\n", 'not "run <bytes>'),
        (b"run 000000007 1 0\n", 'not "run <bytes>'),
        (b"\n", 'not "run <bytes>'),
        (b"run " + b"1" * 100, 'not "run <bytes>'),
        (b"run 4194305 1 0\n", "4194305 bytes, at most 4194304 are allowed"),
        (b"run -1 1 0\n", "at most 4194304 are allowed"),
        (header(b"/\0", 0, 0) + b"/\0", "it names no command"),
        (header(b"", 1, 0), "more texts than bytes"),
        (b"run 7 1 -1\n", "more texts than bytes"),
        (header(TEXTS, 1, 2) + TEXTS, "fewer texts than its first line says"),
        (header(TEXTS[:-1], 1, 1) + TEXTS[:-1], "fewer texts than its first line says"),
        (header(TEXTS, 1, 0) + TEXTS, "more texts than its first line says"),
        (header(b"/\0a\0=b\0", 1, 1) + b"/\0a\0=b\0", "variable 1 is not NAME=value"),
        (header(b"/\0a\0A=\0b\0", 1, 2) + b"/\0a\0A=\0b\0", "variable 2 is not NAME=value"),
        (header(b"/\0a\0\0", 1, 1) + b"/\0a\0\0", "variable 1 is not NAME=value"),
    ],
)
def test_a_malformed_order(launched: Launched, sent: bytes, complaint: str) -> None:
    assert launched.line() == "H"
    launched.write(sent)
    assert launched.line() == ""
    code, complaints = launched.ends()
    assert code == GAVE_UP
    assert complaints.startswith("launcher: malformed order: ")
    assert complaint in complaints


def test_the_largest_order_is_taken(launched: Launched) -> None:
    """The kernel takes less in one exec, but that is for it to say."""
    plain = order(["true"])
    head, body = plain.split(b"\n", 1)
    filler = b"A=" + b"x" * (4 * 2**20 - len(body) - 3) + b"\0"
    assert launched.line() == "H"
    launched.write(header(body + filler, 1, 1) + body + filler)
    assert launched.line() == f"F {errno.E2BIG}"
    assert head == b"run 7 1 0"


# Signals and words.


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGWINCH, signal.SIGRTMIN + 3]
)
def test_a_signal_before_the_step_ends_the_launcher(launched: Launched, number: int) -> None:
    assert launched.line() == "H"
    launched.write(b"run 100 1")
    launched.signal(number)
    assert launched.line() == ""
    told = f"launcher: ended by signal {int(number)} before the step started\n"
    assert launched.ends() == (128 + number, told)


def test_signals_are_passed_on(launched: Launched) -> None:
    launched.start(*PYTHON, LISTENER)
    launched.hears(b"ready\n")
    passed = [
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGWINCH,
        signal.SIGTSTP,
        signal.SIGRTMIN + 3,
        signal.SIGTERM,
    ]
    for number in passed:
        launched.signal(number)
        launched.hears(b"\n%d\n" % number)
    assert launched.line() == f"E {7 << 8} 0"
    assert launched.ends() == (7, "")


def test_words_reach_the_whole_process_group(launched: Launched) -> None:
    child = "trap 'echo child; exit' TERM; echo ready; while :; do sleep 0.02; done"
    launched.shell(f'sh -c "{child}" & wait; echo no')
    launched.hears(b"ready\n")
    launched.write(b"T")
    assert launched.line() == f"E {signal.SIGTERM.value} 0"
    assert b"child\n" in launched.log
    assert b"no\n" not in launched.log


@pytest.mark.parametrize("by", ["word", "signal"])
def test_who_was_asked_to_stop_may_tidy_up_after_its_shell(launched: Launched, by: str) -> None:
    """The shell dies of SIGTERM at once; what it runs is not killed for that."""
    tidy = "trap 'sleep 0.3; echo tidy; exit' TERM; echo ready; while :; do sleep 0.05; done"
    launched.shell(f'sh -c "{tidy}" & wait')
    launched.hears(b"ready\n")
    if by == "word":
        launched.write(b"T")
    else:
        launched.signal(signal.SIGTERM)
    assert launched.line() == f"E {signal.SIGTERM.value} 0"
    assert launched.log.endswith(b"tidy\n")


def test_nobody_is_waited_for_who_was_reaped_by_others(launched: Launched) -> None:
    """The last of the group is the child of a process that left it: no SIGCHLD tells of its end."""
    script = """
import os, signal, time
told = lambda *_: (time.sleep(0.3), os._exit(0))
if os.fork():
    os.setsid()
    os.wait()
else:
    signal.signal(signal.SIGTERM, told)
    print("ready", flush=True)
time.sleep(1000)
"""
    launched.shell(f"{sys.executable} -I -S -c '{script}' & wait")
    launched.hears(b"ready\n")
    launched.write(b"T")
    assert launched.line() == f"E {signal.SIGTERM.value} 0"


def test_who_does_not_stop_is_killed(launched: Launched) -> None:
    launched.shell("trap 'echo never' TERM; echo ready; while :; do sleep 0.02; done")
    launched.hears(b"ready\n")
    launched.write(b"T")
    launched.hears(b"never\n")
    launched.write(b"K")
    assert launched.line() == f"E {signal.SIGKILL.value} 0"
    assert launched.ends() == (137, "")


def test_the_grace_of_the_group_ends_with_the_kill(launched: Launched) -> None:
    launched.shell("sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.02; done' & wait")
    launched.hears(b"ready\n")
    (step,) = children(launched.first)
    launched.write(b"T")
    eventually(lambda: is_gone(step), "the shell is gone")
    launched.write(b"K")
    assert launched.line() == f"E {signal.SIGTERM.value} 0"


def test_a_word_that_means_nothing(launched: Launched) -> None:
    launched.shell("echo ready; sleep 1000")
    launched.write(b"x")
    launched.write(b"K")
    assert launched.line() == f"E {signal.SIGKILL.value} 0"
    assert launched.ends() == (137, "launcher: the agent asks for 'x', which means nothing\n")


def test_a_step_killed_from_outside(launched: Launched) -> None:
    launched.shell("echo ready; exec sleep 1000")
    launched.hears(b"ready\n")
    (step,) = children(launched.first)
    os.kill(step, signal.SIGKILL)
    assert launched.line() == f"E {signal.SIGKILL.value} 0"


# What a step leaves behind.


def test_orphans_are_reaped_while_the_step_runs(launched: Launched) -> None:
    launched.shell("for i in 1 2 3; do (sh -c 'echo $$' &); done; echo all; exec sleep 1000")
    launched.hears(b"\n", times=4)
    orphans = [int(line) for line in launched.log.split() if line != b"all"]
    eventually(lambda: all(map(is_gone, orphans)), "they were reaped")
    assert len(children(launched.first)) == 1


@pytest.mark.parametrize(
    "script",
    [
        "sh -c 'echo $$; exec sleep 1000' &",
        "setsid sh -c 'echo $$; exec sleep 1000' &",
        "(setsid sh -c 'echo $$; trap \"\" TERM HUP; exec sleep 1000' &)",
        "setsid sh -c 'setsid sh -c \"echo \\$\\$; exec sleep 1000\" & echo $$; wait' &",
    ],
    ids=["background", "session", "daemon", "two deep"],
)
def test_nothing_is_left_running(launched: Launched, tmp_path: Path, script: str) -> None:
    lines = script.count("echo")
    ready = f"while [ $(wc -l < {tmp_path}/left) -lt {lines} ]; do sleep 0.02; done"
    launched.shell(
        f"exec 3>&1 >{tmp_path}/left; {script}\n{ready}; cat {tmp_path}/left >&3; exit 5"
    )
    assert launched.line() == f"E {5 << 8} 0"
    left = [int(line) for line in launched.log.split()]
    assert len(left) == lines
    assert all(map(is_gone, left))
    assert launched.ends() == (5, "")


# Who goes away.


@pytest.mark.parametrize("missing", FIFOS)
def test_a_fifo_is_not_there(launcher: Path, tmp_path: Path, missing: str) -> None:
    folder = make_fifos(tmp_path / "control", [name for name in FIFOS if name != missing])
    held = [os.open(folder / n, os.O_RDONLY | os.O_NONBLOCK) for n in FIFOS if n != missing]
    done = subprocess.run([launcher, "run", folder], capture_output=True, text=True, check=False)
    assert done.returncode == GAVE_UP
    assert done.stderr == (
        f"launcher: cannot open the FIFO {missing}: {os.strerror(errno.ENOENT)}\n"
    )
    for descriptor in held:
        os.close(descriptor)


@pytest.mark.parametrize("unread", ["end", "log"])
def test_nobody_listens(launcher: Path, control: Path, unread: str) -> None:
    held = [
        os.open(control / name, os.O_RDONLY | os.O_NONBLOCK)
        for name in ("end", "log")
        if name != unread
    ]
    done = subprocess.run([launcher, "run", control], capture_output=True, text=True, check=False)
    assert done.returncode == GAVE_UP
    assert done.stderr == f"launcher: the agent is gone: nobody reads the FIFO {unread}\n"
    for descriptor in held:
        os.close(descriptor)


def test_there_is_no_folder(launcher: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [launcher, "run", tmp_path / "no"], capture_output=True, text=True, check=False
    )
    assert done.returncode == GAVE_UP
    assert done.stderr == f"launcher: cannot open {tmp_path}/no: {os.strerror(errno.ENOENT)}\n"


def test_the_agent_dies_in_the_middle_of_the_order(launched: Launched) -> None:
    assert launched.line() == "H"
    launched.write(b"run 100 1 0\n/\0tr")
    launched.leave()
    assert launched.line() == ""
    told = "launcher: the agent went away before it said what to run\n"
    assert launched.ends() == (GAVE_UP, told)


def test_the_agent_dies_before_it_ever_spoke(launcher: Path, control: Path) -> None:
    """Only `end` can tell then: nobody had opened `go`."""
    held = [os.open(control / name, os.O_RDONLY | os.O_NONBLOCK) for name in ("end", "log")]
    process = subprocess.Popen([launcher, "run", control], stderr=subprocess.PIPE)
    eventually(lambda: launcher.samefile(f"/proc/{process.pid}/exe"), "it runs")
    with os.fdopen(held[0], "rb", buffering=0) as end:
        eventually(lambda: end.read(2) == b"H\n", "it says hello")
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == GAVE_UP
    assert b"the agent went away before" in complaints
    os.close(held[1])


def test_the_agent_dies_while_the_step_runs(launched: Launched) -> None:
    launched.shell("trap '' TERM HUP; setsid sleep 1000 & echo $! $$; while :; do sleep 0.02; done")
    launched.hears(b"\n")
    launched.leave()
    assert launched.line() == ""
    told = "launcher: the agent went away, so the step was killed\n"
    assert launched.ends() == (GAVE_UP, told)
    assert all(is_gone(int(process)) for process in launched.log.split())


def test_the_agent_dies_before_it_can_be_told_of_the_start(launched: Launched) -> None:
    assert launched.line() == "H"
    launched.signal(signal.SIGSTOP)
    launched.write(order(["/bin/sleep", "1000"]))
    launched.turn_away()
    launched.signal(signal.SIGCONT)
    told = "launcher: the agent went away, so the step was killed\n"
    assert launched.ends() == (GAVE_UP, told)


def test_the_launcher_is_killed(launched: Launched) -> None:
    launched.shell("echo ready; exec sleep 1000")
    launched.hears(b"ready\n")
    (step,) = children(launched.first)
    launched.signal(signal.SIGKILL)
    assert launched.line() == ""
    eventually(lambda: is_gone(step), "the step went with it")


# The other command, and the program itself.


def test_awaiting_what_is_there_and_what_comes(launcher: Path, tmp_path: Path) -> None:
    path = tmp_path / "launcher"
    with subprocess.Popen([launcher, "await", path]) as waiting:
        eventually(lambda: launcher.samefile(f"/proc/{waiting.pid}/exe"), "it runs")
        assert waiting.poll() is None
        path.touch()
        assert waiting.wait(60) == 0
    assert subprocess.call([launcher, "await", path]) == 0


def test_awaiting_what_never_comes(tmp_path: Path) -> None:
    impatient = compile_launcher(tmp_path, compiler(), "-DAWAIT_SECONDS=0")
    done = subprocess.run(
        [impatient, "await", "/no/such"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "launcher: /no/such is not there after 0 s\n")


@pytest.mark.parametrize("arguments", [[], ["run"], ["await"], ["run", "a", "b"], ["stop", "a"]])
def test_it_says_how_it_is_used(launcher: Path, arguments: list[str]) -> None:
    done = subprocess.run([launcher, *arguments], capture_output=True, text=True, check=False)
    usage = "launcher: usage: launcher run DIRECTORY | launcher await PATH\n"
    assert (done.returncode, done.stderr) == (GAVE_UP, usage)


def headers(program: Path) -> str:
    told = subprocess.run(["readelf", "-hl", program], capture_output=True, text=True, check=True)
    return told.stdout


def test_it_needs_no_library(launcher: Path) -> None:
    assert "INTERP" not in headers(launcher)
    assert "DYNAMIC" not in headers(launcher)


@pytest.fixture(scope="session")
def for_arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cross = "aarch64-linux-gnu-gcc"
    if not shutil.which(cross):
        pytest.skip(f"no {cross}: install gcc-aarch64-linux-gnu and libc6-dev-arm64-cross")
    return compile_launcher(tmp_path_factory.mktemp("arm"), cross)


def test_it_compiles_for_arm_without_a_library(for_arm: Path) -> None:
    assert "AArch64" in headers(for_arm)
    assert "INTERP" not in headers(for_arm)


def test_it_runs_on_arm(for_arm: Path, control: Path) -> None:
    emulator = shutil.which("qemu-aarch64-static")
    if not emulator:
        pytest.skip("no qemu-aarch64-static: install qemu-user-static")
    with Launched([emulator, for_arm, "run", control], control) as launched:
        launched.shell("(sleep 1000 &); echo $SAID; exit 3", SAID="on arm")
        assert launched.line() == f"E {3 << 8} 0"
        assert launched.log == b"on arm\n"
        assert launched.ends() == (3, "")
