"""The node's own network and mounts, which vanish with the last process in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.testbed.layout import API_SERVICE, NUMBERS, Layout
from tests.testbed.processes import ENVIRONMENT, Process, launch, wait_until
from tests.testbed.tools import TestbedError

NAME = "namespaces"

# Kubelet, CNI and the shims of containerd write to fixed places below these three; what they write
# there goes into memory that nobody else sees. The testbed's own folder stays where it is.
_HOLD = """
set -e
mount -t tmpfs testbed /mnt
mkdir /mnt/folder
mount --bind "$1" /mnt/folder
for place in /run /var/lib /var/log; do
  mkdir -p /mnt/upper$place /mnt/work$place
  mount -t overlay -o "lowerdir=$place,upperdir=/mnt/upper$place,workdir=/mnt/work$place" \
    testbed $place
done
mkdir -p "$1"
mount --bind /mnt/folder "$1"
umount --lazy /mnt
mount --make-rshared /
touch "$1/held"
exec sleep infinity
"""

# Nothing beyond this machine is reached, and whoever tries knows it at once: a name is not looked up
# for half a minute before an image is said to be missing.
_INSIDE = """
set -e
ip link set lo up
ip address add {node}/30 dev eth0
ip link set eth0 up
ip route add unreachable default
echo 1 > /proc/sys/net/ipv4/ip_forward
for each in all default eth0; do
  file=/proc/sys/net/ipv6/conf/$each/disable_ipv6
  if [ -e $file ]; then echo 1 > $file; fi
done
iptables-restore --noflush <<END
*nat
-A PREROUTING -d {service}/32 -p tcp --dport 443 -j DNAT --to-destination {node}:6443
COMMIT
END
"""

_CUT = """*filter
:CUT-OFF - [0:0]
-F CUT-OFF
-A CUT-OFF -d {node}/32 -p tcp --dport 9000 -j ACCEPT
-A CUT-OFF -m conntrack --ctdir REPLY -j ACCEPT
-A CUT-OFF -j REJECT
-I INPUT -s {pods} -j CUT-OFF
-I FORWARD -s {pods} -j CUT-OFF
COMMIT
"""

_MEND = """*filter
-D INPUT -s {pods} -j CUT-OFF
-D FORWARD -s {pods} -j CUT-OFF
-F CUT-OFF
-X CUT-OFF
COMMIT
"""


def hold(folder: Path) -> Process:
    """Start the process that holds the node's namespaces open, and return it."""
    unshare = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", _HOLD]
    holder = launch(folder, NAME, [*unshare, "testbed", folder], {})
    held = folder / "held"
    wait_until(held.exists, 10, "namespaces of its own for the node", holder, folder)
    return holder


def enter(holder: Process) -> list[str]:
    """Return the words that, put before a command, run it in the node's namespaces.

    Not `ip netns exec`: that mounts /sys anew, without the cgroups that a kubelet looks for.
    """
    return ["nsenter", f"--net=/proc/{holder.pid}/ns/net", f"--mount=/proc/{holder.pid}/ns/mnt"]


def connect(folder: Path, holder: Process) -> Layout:
    """Link the node to this machine under the first number that is free; its layout follows."""
    for number in NUMBERS:
        layout = Layout(folder, number)
        peer = ["type", "veth", "peer", "name", "eth0", "netns", str(holder.pid)]
        if not _fails(["ip", "link", "add", layout.link, *peer], "File exists"):
            _route(layout, holder)
            return layout
    message = "there is a testbed under every number; `ip link` shows them"
    raise TestbedError(message)


def disconnect(layout: Layout) -> None:
    """Remove the link, if it is not gone with its namespace."""
    _fails(["ip", "link", "delete", layout.link], "Cannot find device")


def _route(layout: Layout, holder: Process) -> None:
    _run(["ip", "address", "add", f"{layout.outside}/30", "dev", layout.link])
    _run(["ip", "link", "set", layout.link, "up"])
    script = _INSIDE.format(node=layout.node, service=API_SERVICE)
    _run([*enter(holder), "sh", "-c", script])
    _run(["ip", "route", "add", layout.pods, "via", layout.node])


def is_cut_off(holder: Process) -> bool:
    """Say whether Pods reach the object store only."""
    return "-N CUT-OFF" in _run([*enter(holder), "iptables", "--list-rules"])


def cut_off(layout: Layout, holder: Process, wanted: bool = True) -> None:
    """Let Pods reach the object store and nothing else, not even each other; or all again.

    What somebody else asks them (the kubelet's probes) they still answer.
    """
    if is_cut_off(holder) == wanted:
        return
    rules = (_CUT if wanted else _MEND).format(node=layout.node, pods=layout.pods)
    _run([*enter(holder), "iptables-restore", "--noflush"], input=rules)


def inhabitants(holder: Process) -> set[int]:
    """Return the processes in either of the node's namespaces, the holder among them.

    Nobody is in them as long as the holder itself is still in those of this process.
    """
    if not holder.alive():
        return set()
    theirs = _namespaces(Path("/proc", str(holder.pid))) - _namespaces(Path("/proc/self"))
    places = Path("/proc").glob("[0-9]*")
    return {int(place.name) for place in places if theirs & _namespaces(place)}


def _namespaces(place: Path) -> set[str]:
    """Return the network and mount namespace of a process; nothing if it is gone."""
    try:
        return {str((place / "ns" / kind).readlink()) for kind in ("net", "mnt")}
    except OSError:
        return set()


def _fails(command: list[str], reason: str) -> bool:
    """Say whether the command fails for that reason. TestbedError if it does for another."""
    try:
        _run(command)
    except TestbedError as error:
        if reason not in str(error):
            raise
        return True
    return False


def _run(command: list[str], input: str = "") -> str:  # noqa: A002  as subprocess.run
    """Return what the command prints. TestbedError if it fails."""
    done = subprocess.run(
        command, input=input, capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    if done.returncode:
        message = f"`{' '.join(command)[:300]}` failed: {done.stderr.strip()}"
        raise TestbedError(message)
    return done.stdout
