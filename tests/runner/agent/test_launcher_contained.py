"""The launcher as a container has it: on another root, read-only, as the first process."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runner.agent.launching import (
    FIFOS,
    Launched,
    control_fixture,
    eventually,
    launcher_fixture,
    order,
)

__all__ = ["control_fixture", "launcher_fixture"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it runs in Linux containers only")


def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a container's mounts")
    if not shutil.which("busybox"):
        pytest.skip("no busybox for the image: install busybox-static")


def bound(launcher: Path, control: Path, *, then: str = "") -> list[str | Path]:
    """Start the launcher with a read-only view of its control folder, in mounts of its own."""
    script = (
        f'mount --bind "$2" "$2" && mount -o remount,ro,bind "$2" && {then or ":"} && exec "$@"'
    )
    script = script.replace("$2", str(control)).replace('exec "$@"', 'exec "$0" run "$1"')
    return ["unshare", "--mount", "sh", "-c", script, launcher, control]


@pytest.fixture
def contained(launcher: Path, control: Path, tmp_path: Path) -> Iterator[Launched]:
    """A launcher as process 1 of an image that holds busybox and no folder that can be written."""
    as_root()
    root = tmp_path / "root"
    for name in ("bin", "dev", "control"):
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "", root / "bin" / "busybox")
    shutil.copy(launcher, root / "launcher")
    os.mknod(root / "dev" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    script = (
        'mount --bind "$0" "$0" && mount --bind "$1" "$0/control"'
        ' && mount -o remount,ro,bind "$0/control" && mount -o remount,ro,bind "$0"'
        ' && exec chroot "$0" /launcher run /control'
    )
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    with Launched([*command, "sh", "-c", script, root, control], control, forked=True) as running:
        yield running


BUSYBOX = ("/bin/busybox", "sh", "-c")


def test_fifos_are_written_through_a_read_only_mount(launcher: Path, control: Path) -> None:
    as_root()
    with Launched(bound(launcher, control), control) as launched:
        launched.shell(f"echo no > {control}/file; echo yes")
        assert launched.line() == "E 0 0"
    assert launched.log.splitlines()[-1] == b"yes"
    assert b"ead-only file system" in launched.log
    assert sorted(path.name for path in control.iterdir()) == sorted(FIFOS)


def test_an_image_with_nothing_but_a_program(contained: Launched) -> None:
    listing = "echo $PPID; echo /*; echo no > /file; echo /tmp/*; exit 6"
    contained.start(*BUSYBOX, listing)
    assert contained.line() == f"E {6 << 8} 0"
    parent, folders, refused, temporary = contained.log.decode().splitlines()
    assert parent == "1"
    assert folders == "/bin /control /dev /launcher"
    assert "Read-only file system" in refused
    assert temporary == "/tmp/*"
    assert contained.ends() == (6, "")


def test_process_1_passes_signals_on(contained: Launched) -> None:
    script = (
        "trap 'echo hup' HUP; trap 'exit 9' TERM; echo ready; while :; do busybox sleep 0.02; done"
    )
    contained.start(*BUSYBOX, script, variables={"PATH": "/bin"})
    contained.hears(b"ready\n")
    contained.signal(signal.SIGHUP)
    contained.hears(b"hup\n")
    contained.signal(signal.SIGTERM)
    assert contained.line() == f"E {9 << 8} 0"


def test_process_1_ends_by_a_signal_before_the_step(contained: Launched) -> None:
    assert contained.line() == "H"
    contained.signal(signal.SIGTERM)
    assert contained.line() == ""
    assert contained.ends()[0] == 143


def test_process_1_leaves_nobody(contained: Launched) -> None:
    """Without /proc it cannot know its children, and need not."""
    daemon = "busybox setsid busybox sh -c 'echo there; busybox sleep 1000' & "
    contained.start(*BUSYBOX, f"({daemon}) ; busybox sleep 0.2", variables={"PATH": "/bin"})
    contained.hears(b"there\n")
    assert contained.line() == "E 0 0"
    assert contained.ends() == (0, "")


# Out of memory.


def counted(launcher: Path, control: Path, place: str, text: str) -> list[str | Path]:
    """Start it where the file at `place` tells of kills, and can be changed below `control`."""
    file = control.parent / "cgroup" / Path(place).relative_to("/sys/fs/cgroup")
    file.parent.mkdir(parents=True)
    file.write_text(text)
    view = f"mount --bind {control.parent}/cgroup /sys/fs/cgroup"
    return bound(launcher, control, then=view)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("/sys/fs/cgroup/memory.events", "low 0\nhigh 0\nmax 9\noom 8\noom_kill {}\n"),
        ("/sys/fs/cgroup/memory.events", "oom 1\noom_kill {}\noom_group_kill 7\n"),
        (
            "/sys/fs/cgroup/memory/memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n",
        ),
    ],
)
def test_kills_are_counted_from_the_launchers_start(
    launcher: Path, control: Path, place: str, text: str
) -> None:
    as_root()
    with Launched(counted(launcher, control, place, text.format(2)), control) as launched:
        assert launched.line() == "H"
        changed = text.format(5).replace("\n", "\\n")
        launched.write(order(["/bin/sh", "-c", f"printf '{changed}' > {place}; exit 1"]))
        assert launched.line() == "S"
        assert launched.line() == f"E {1 << 8} 3"


@pytest.mark.parametrize("text", ["", "oom_kill_disable 0\n", "oom_kill many\n"])
def test_kills_that_cannot_be_read_are_none(launcher: Path, control: Path, text: str) -> None:
    as_root()
    place = "/sys/fs/cgroup/memory.events"
    with Launched(counted(launcher, control, place, text), control) as launched:
        launched.shell("exit 1")
        assert launched.line() == f"E {1 << 8} 0"


@pytest.fixture
def small() -> Iterator[tuple[Path, str]]:
    """A control group with 64 MiB of memory, and where a container would see it."""
    as_root()
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    place = "/sys/fs/cgroup" if unified else "/sys/fs/cgroup/memory"
    group = Path(place, f"hookline-test-{uuid.uuid4().hex[:8]}")
    group.mkdir()
    limit = group / ("memory.max" if unified else "memory.limit_in_bytes")
    if not limit.exists():
        group.rmdir()
        pytest.skip("no control group with a memory limit can be made here")
    limit.write_text(str(64 << 20))
    yield group, place
    eventually(lambda: not (group / "cgroup.procs").read_text(), "the group is empty")
    group.rmdir()


def test_a_child_that_the_memory_did_not_suffice_for(
    launcher: Path, control: Path, small: tuple[Path, str]
) -> None:
    group, place = small
    enter = f"echo $$ > {group}/cgroup.procs && mount --bind {group} {place}"
    hungry = f"{sys.executable} -I -S -c 'bytearray(512 << 20)'; echo $?; exit 3"
    with Launched(bound(launcher, control, then=enter), control) as launched:
        launched.shell(hungry)
        assert launched.line() == f"E {3 << 8} 1"
    assert launched.log.splitlines()[-1] == b"137"
