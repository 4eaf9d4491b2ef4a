"""What a step that means ill gets at from inside its Pod: nothing but itself, each way tried.

The Pods reach the object store and nothing else, as they do behind the shipped NetworkPolicies.
Two runs take part: one that waits, whose prefix and order the other would like to have.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2
import pytest

from runner.executors.base import AttemptId
from runner.executors.kubernetes.orders import home, order_key
from tests.cluster.stage import Stage, tally
from tests.e2e.servers import pretty, states, step
from tests.support.cluster import Testbed
from tests.testbed.layout import API_SERVICE

REACH = 'reach() { nc -w 3 "$1" "$2" </dev/null >/dev/null 2>&1 && echo open || echo shut; }'
ADDRESSES = {
    "the API server by its service": f"{API_SERVICE} 443",
    "the API server by its node": "$NODE 6443",
    "the kubelet": "$NODE 10250",
    "the machine outside": "$OUTSIDE $PORT",
}
"""What a Pod would reach were it not cut off: the run that waits has tried it."""


@dataclass(frozen=True)
class Try:
    """Something a step tries: a script, and a pattern of all that it prints.

    If it fails, its last line is `-> CODE`.
    """

    name: str
    script: str
    told: str


NETWORK = (
    Try("the object store is reached", "reach $NODE 9000", "open"),
    *(Try(name, f"reach {address}", "shut") for name, address in ADDRESSES.items()),
    Try("the metadata of a cloud", "reach 169.254.169.254 80", "shut"),
    Try("another run's Pod", "reach $OTHER_POD 8080", "shut"),
    Try("what listens in its own Pod", "netstat -ltnuw | grep -c LISTEN", r"0\n-> 1"),
)
CREDENTIALS = (
    Try("a token", "ls /var/run/secrets /run/secrets 2>/dev/null | wc -l", "0"),
    Try("variables of the cluster", "env | grep -c ^KUBERNETES_", r"0\n-> 1"),
    Try(
        "its variables",
        "env | cut -d= -f1 | grep -vE '^(CI|CI_[A-Z_]+|HOME|HOSTNAME|OLDPWD|PATH|PWD|SHLVL)$'"
        " | sort | xargs",
        "BUCKET NODE OTHER OTHER_POD OUTSIDE PORT",
    ),
    Try("credentials are found", 'env "HOOK""LINE_X=" env | grep -ciE "$WORDS"', "1"),
    Try("credentials in its variables", 'env | grep -ciE "$WORDS"', r"0\n-> 1"),
    Try(
        "the variables of its first process",
        "tr '\\0' '\\n' < /proc/1/environ | cut -d= -f1 | grep -v ^KUBERNETES_ | sort | xargs",
        "HOME HOSTNAME PATH",
    ),
    Try(
        "processes",
        "cat /proc/[0-9]*/comm | sort -u | grep -vE '^(cat|sort|grep|sh|xargs)$' | xargs",
        "launcher",
    ),
    Try(
        "credentials in the variables and words of all processes",
        "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'"
        ' | grep -vF "$WORDS" | grep -ciE "$WORDS"',
        r"0\n-> 1",
    ),
    Try(
        "credentials are found in memory",
        'env "HOOK""LINE_X=" sleep 9 & sleep 1; memory $! | grep -vF "$WORDS" | grep -ciE "$WORDS"',
        "[1-9][0-9]*",
    ),
    Try(
        "credentials in the memory of its first process",
        'memory 1 | grep -vF "$WORDS" | grep -ciE "$WORDS"',
        r"0\n-> 1",
    ),
    Try(
        "what is mounted",
        "awk '{print $5}' /proc/self/mountinfo | grep -vE '^/(proc|sys|dev)(/|$)' | sort | xargs",
        "/ /etc/hostname /etc/hosts /etc/resolv.conf /hookline/control /hookline/scratch /workspace",
    ),
    Try(
        "files of the node",
        "grep -vE ' (overlay|tmpfs|proc|sysfs|cgroup2?|mqueue|devpts) ' /proc/self/mountinfo"
        " | awk '{print $4}' | grep -vE 'volumes/kubernetes.io~empty-dir/(control|scratch|workspace)$|"
        "/(etc-hosts|hostname|resolv.conf)$|/containers/step/[0-9a-f]+$' | wc -l",
        "0",
    ),
    Try(
        "what is in its folders",
        "find /hookline | sort | xargs",
        "/hookline /hookline/control /hookline/control/end /hookline/control/go"
        " /hookline/control/launcher /hookline/control/log /hookline/scratch"
        " /hookline/scratch/home /hookline/scratch/output",
    ),
    Try(
        "credentials in files",
        "find / -xdev -type f ! -name busybox -size -2000k 2>/dev/null"
        ' | xargs cat /hookline/scratch/output /etc/hosts /etc/resolv.conf | grep -ciE "$WORDS"',
        r"0\n-> 1",
    ),
)
FOLDERS = (
    Try("to write in control", "touch /hookline/control/x", "(?s).*Read-only file system.*"),
    Try("to remove the launcher", "rm -f /hookline/control/launcher", "(?s).*Read-only.*"),
    Try(
        "to write the launcher",
        "true >> /hookline/control/launcher",
        "(?s).*(nonexist|Read-only|Perm).*",
    ),
    Try("to put another in its place", "mv /bin/sh /hookline/control/launcher", "(?s).*-> 1"),
    Try(
        "to mount control anew",
        "mount -o remount,rw /hookline/control",
        "(?s).*(denied|permitted).*",
    ),
    Try("what the agent is told", "ls /hookline/pod", "(?s).*No such file.*"),
    Try("the agent's files", "ls -A /tmp", ""),
    Try("to write in the image's own folders", "touch /bin/x", "(?s).*Permission denied.*"),
    Try("to write for the kernel", "echo x > /proc/sys/kernel/core_pattern", "(?s).*Read-only.*"),
    Try("to kill its first process", "kill -9 1; echo still here", "still here"),
)
STORE = (
    Try("it answers", "ask GET /minio/health/live", "200"),
    Try("a list of the bucket", 'ask GET "/$BUCKET?list-type=2"', "403"),
    Try("a list of all buckets", "ask GET /", "403"),
    Try("a list of another run", 'ask GET "/$BUCKET?list-type=2&prefix=$OTHER"', "403"),
    Try("an object of another run", 'ask GET "/$BUCKET/$OTHER"', "403"),
    Try("to write to another run", 'ask PUT "/$BUCKET/$OTHER"', "403"),
    Try("to remove from another run", 'ask DELETE "/$BUCKET/$OTHER"', "403"),
    Try("its own order", 'ask GET "/$BUCKET/$OWN/order"', "403"),
    Try("to write to its own prefix", 'ask PUT "/$BUCKET/$OWN/packs/x"', "403"),
    Try("to write where it likes", 'ask PUT "/$BUCKET/x"', "403"),
    Try("to upload without a policy", 'ask POST "/$BUCKET"', "40[0-9]|41[0-9]"),
    Try("to let everybody in", 'ask PUT "/$BUCKET?policy"', "403"),
)
ROOT = (
    Try("who it is", "id -u; id -g", r"10001\n10001"),
    Try(
        "capabilities",
        "awk '/^Cap(Eff|Prm|Bnd|Amb|Inh)/ {print $2}' /proc/self/status | uniq",
        "0{16}",
    ),
    Try("new privileges", "awk '/^NoNewPrivs/ {print $2}' /proc/self/status", "1"),
    Try("system calls are filtered", "awk '/^Seccomp:/ {print $2}' /proc/self/status", "2"),
    Try("to become root", "su -c id", "(?s).*-> 1"),
    Try(
        "a program that changes who it is",
        "cp /bin/busybox $HOME/id; chmod 6755 $HOME/id; $HOME/id -u",
        "10001",
    ),
    Try("a namespace of its own", "unshare -U true", "(?s).*Operation not permitted.*"),
    Try(
        "the namespaces of the first process",
        "nsenter -t 1 -m true",
        "(?s).*Operation not permitted.*",
    ),
    Try("to mount", "mount -t tmpfs none $HOME", "(?s).*(permitted|denied).*"),
    Try("to make a device", "mknod $HOME/null c 1 3", "(?s).*Operation not permitted.*"),
    Try("to change its root", "chroot /workspace", "(?s).*Operation not permitted.*"),
    Try("disks", "ls /dev | grep -E '^(sd|vd|nvme|mem|kmsg)' | wc -l", "0"),
    Try("the node's log", "dmesg | wc -l", "(?s).*(permitted|denied).*0"),
)
TRIES: Mapping[str, tuple[Try, ...]] = {
    "network": NETWORK,
    "credentials": CREDENTIALS,
    "folders": FOLDERS,
    "store": STORE,
    "root": ROOT,
}

# Words that only what gives access has in it; `memory` prints what a process holds.
PREAMBLE = (
    f"{REACH}\n"
    r"""
WORDS='X-Amz|Signature=|[Pp]olicy=|AWS_|HOOKLINE_|eyJhbGciOi|BEGIN [A-Z ]*PRIVATE|hookline-testbed'
OWN="${OTHER%/attempts/*}/attempts/$CI_RUN"
ask() {
  printf '%s %s HTTP/1.1\r\nHost: %s:9000\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx' \
    "$1" "$2" "$NODE" | nc -w 5 "$NODE" 9000 | head -n 1 | cut -d' ' -f2
}
memory() {
  while read -r range rights _; do
    case "$rights" in r*) ;; *) continue ;; esac
    from=$((0x${range%-*} / 4096)) to=$((0x${range#*-} / 4096))
    dd if="/proc/$1/mem" bs=4096 skip="$from" count=$((to - from)) 2>/dev/null || true
  done < "/proc/$1/maps" | strings -n 8
}
"""
)


@dataclass(frozen=True)
class Attack:
    """A step that turns against agent and launcher: how it ends, and a text of its reason or log."""

    script: str
    state: str = "success"
    told: str = ""
    more: str = ""


ATTACKS: Mapping[str, Attack] = {
    "nonsense": Attack(
        "head -c 200000 /dev/zero > /hookline/control/end;"
        " printf '\\nE x y\\nE\\nF\\nE 1\\nH H\\nQ 1 2 3\\n' > /hookline/control/end;"
        " echo went on",
        told="went on",
    ),
    "false_end": Attack(
        "printf '\\nE 512 0\\n' > /hookline/control/end; sleep 300; echo never",
        "failure",
        "exit code 2",
    ),
    "false_refusal": Attack(
        "printf '\\nF 13\\n' > /hookline/control/end; sleep 1", "failure", "may not be run"
    ),
    "kills_itself": Attack(
        "printf K > /hookline/control/go; sleep 300; echo never", "failure", "SIGKILL"
    ),
    "kills_all": Attack("sleep 300 & kill -9 -1; echo went on", told="went on"),
    "steals_orders": Attack(
        "trap '' TERM; cat <> /hookline/control/go > /dev/null & sleep 300",
        "error",
        "the command does not end, though it was killed",
        ", timeout: 2s, grace: 1s",
    ),
    "asks_the_launcher": Attack("kill 1; sleep 300; echo never", "failure", "SIGTERM"),
    "forged_report": Attack(
        "for end in '\\n' '\\r' '\\0' '\\v' '\\f' '\\034' '\\302\\205' '\\342\\200\\250'; do"
        ' printf "$end> ended {\\"outcome\\": \\"success\\"}$end"; done;'
        ' echo \'{"outcome": "success"}\' > /dev/termination-log; exit 3',
        "failure",
        "exit code 3",
    ),
    "output_is_a_link": Attack(
        "ln -sf /proc/self/environ $CI_OUTPUT", "failure", "no longer a plain file"
    ),
    "output_is_a_fifo": Attack(
        "rm $CI_OUTPUT; mkfifo $CI_OUTPUT", "failure", "no longer a plain file"
    ),
    "output_is_endless": Attack("truncate -s 8G $CI_OUTPUT", "failure", "larger than 1024 KiB"),
    "links": Attack(
        "ln -s /proc/self/environ environ; ln -s ../tmp up; ln -s /hookline/pod pod;"
        " mkfifo fifo; mkdir -p a; ln -s ../../hookline a/b; echo fine > fine",
    ),
}

HONEST = """
  before: {run: 'mkdir -p a/b; echo here > a/b/c; ln -s b a/link; chmod +x a/b/c'}
  after: {needs: before, run: 'test -x a/b/c; cat a/link/c'}
  after_links: {needs: links, run: ls -A}
"""


def pipeline(variables: Mapping[str, str]) -> str:
    """Return the pipeline of all tries and attacks, as steps side by side."""
    lines = [f"env: {json.dumps(variables)}", "steps:"]
    for group, tries in TRIES.items():
        parts = [f'echo "== {each.name}"; ( {each.script} ) 2>&1 || echo "-> $?"' for each in tries]
        lines.append(f"  {group}: {{run: {json.dumps(PREAMBLE + chr(10).join(parts))}}}")
    for name, attack in ATTACKS.items():
        lines.append(f"  {name}: {{run: {json.dumps(attack.script)}{attack.more}}}")
    return "\n".join(lines) + HONEST


def waits(variables: Mapping[str, str]) -> str:
    """Return the pipeline of the run that is looked for: it leaves something, and then listens."""
    tries = [f'echo "== {name}"; reach {address}' for name, address in ADDRESSES.items()]
    steps = {
        "first": {"run": "\n".join([REACH, "echo private > private.txt", *tries])},
        "waits": {"needs": "first", "run": "while true; do nc -l -p 8080 </dev/null; done"},
    }
    return f"env: {json.dumps(variables)}\nsteps: {json.dumps(steps)}\n"


@dataclass(frozen=True)
class Inside:
    """What came of it: the run, what its steps printed, and the order of the one that waits."""

    testbed: Testbed
    run: dict[str, Any]
    logs: Mapping[str, str]
    order: Mapping[str, Any]

    def told(self, group: str, name: str) -> str:
        """Return what a try printed."""
        parts = ("\n" + self.logs[group]).split("\n== ")
        return dict(part.partition("\n")[::2] for part in parts)[name].strip()


@pytest.fixture(scope="module")
def inside(cluster: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """Let everything be tried once, side by side, while Pods are cut off."""
    with cluster.fresh_namespace() as testbed, tally(testbed.outside) as listening:
        stage = Stage(tmp_path_factory.mktemp("inside"), testbed.settings())
        variables = {
            "NODE": testbed.node.layout.node,
            "OUTSIDE": testbed.outside,
            "PORT": listening.url.rpartition(":")[2],
        }
        try:
            stage.open()
            other = stage.push(waits(variables))
            stage.until(other, "waits", "running")
            with testbed.node.cut_off():
                run = stage.ended(stage.push(pipeline(variables | known(testbed, other))))
            names = [each["name"] for each in run["steps"] if each["attempts"]]
            logs = {name: stage.log(run["id"], name) for name in names}
            logs["first"] = stage.log(other, "first")
            yield Inside(testbed, run, logs, order_of(testbed, other))
            stage.server.cli("cancel", other)
            stage.ended(other)
            testbed.until_empty()
        finally:
            stage.server.stop()


def known(testbed: Testbed, other: str) -> dict[str, str]:
    """Return what an attacker is told of the run that waits, so that he need not guess."""
    prefix = f"{testbed.namespace}/{home(AttemptId(other, 'first', 1))}/"
    found = testbed.s3_client().list_objects_v2(Bucket=testbed.bucket, Prefix=prefix + "packs/")
    address = testbed.kubectl("get", "pods", "--output=jsonpath={.items[*].status.podIP}")
    return {
        "BUCKET": testbed.bucket,
        "OTHER": found["Contents"][0]["Key"],
        "OTHER_POD": address.split()[-1],
    }


def order_of(testbed: Testbed, other: str) -> dict[str, Any]:
    """Return the order of the step that waits, read as only the operator can."""
    key = f"{testbed.namespace}/{order_key(AttemptId(other, 'waits', 1))}"
    told = testbed.s3_client().get_object(Bucket=testbed.bucket, Key=key)["Body"].read()
    return dict(json.loads(told))


def test_what_is_tried_would_be_reached_by_who_is_not_cut_off(inside: Inside) -> None:
    assert {name: inside.told("first", name) for name in ADDRESSES} == dict.fromkeys(
        ADDRESSES, "open"
    )


@pytest.mark.parametrize(
    ("group", "tried"),
    [(group, each) for group, tries in TRIES.items() for each in tries],
    ids=lambda value: value.name if isinstance(value, Try) else value,
)
def test_a_step_gets_at_nothing(inside: Inside, group: str, tried: Try) -> None:
    told = inside.told(group, tried.name)
    assert re.fullmatch(tried.told, told), f"{tried.script}\n{told}"


@pytest.mark.parametrize("name", ATTACKS)
def test_who_attacks_agent_or_launcher_harms_itself_only(inside: Inside, name: str) -> None:
    attack = ATTACKS[name]
    ended = step(inside.run, name)
    assert ended["state"] == attack.state, pretty(ended)
    assert attack.told in ended["reason"] + inside.logs[name], pretty(ended)
    assert "never" not in inside.logs[name]
    assert len(ended["attempts"]) == 1


def test_links_that_lead_out_are_left_out_by_name(inside: Inside) -> None:
    told = " ".join(step(inside.run, "links")["warnings"])
    for name in ("environ", "up", "pod", "fifo", "a/b"):
        assert f"{name!r}: " in told, told
    assert inside.logs["after_links"].split() == [".ci.yaml", "a", "fine"]


def test_what_a_step_may_do_works_all_the_same(inside: Inside) -> None:
    assert inside.logs["after"].splitlines() == ["here"]
    told = states(inside.run)
    assert {told[name] for name in (*TRIES, "before", "after", "after_links")} == {"success"}


class TestAnOrder:
    """What its addresses and its policy are good for in other hands: what its own Pod may do."""

    def upload(
        self, inside: Inside, key: str, size: int = 4, bucket: str = "", **fields: str
    ) -> int:
        """Return the status that an upload to a key is answered with."""
        upload = inside.order["upload"]
        told = {"key": key, **upload["fields"], **fields}
        url = upload["url"].replace(f"/{inside.testbed.bucket}", f"/{bucket}") if bucket else ""
        return httpx2.post(
            url or upload["url"], data=told, files={"file": b"x" * size}, timeout=60
        ).status_code

    def test_uploads_to_its_own_prefix_only(self, inside: Inside) -> None:
        prefix = inside.order["upload"]["prefix"]
        assert prefix == f"{inside.testbed.namespace}/{inside.order['home']}/"
        assert self.upload(inside, prefix + "packs/mine") == 204
        others = next(url for url in inside.order["objects"])
        for key in (
            f"{inside.testbed.namespace}/{others}",
            f"{inside.testbed.namespace}/snapshots/00/0",
            prefix.rstrip("/") + "0/result",
            prefix + "../other/result",
            "x",
            "",
        ):
            assert self.upload(inside, key) in (400, 403), key
        assert self.upload(inside, prefix + "packs/mine", bucket="other") in (403, 404)
        assert self.upload(inside, prefix + "packs/mine", acl="public-read") == 403

    def test_uploads_no_more_than_its_policy_says(self, inside: Inside) -> None:
        policy = json.loads(base64.b64decode(inside.order["upload"]["fields"]["policy"]))
        ranges = [each for each in policy["conditions"] if "content-length-range" in each]
        ((_, least, most),) = ranges
        assert (least, most) == (0, 144 << 20)
        key = inside.order["upload"]["prefix"] + "packs/large"
        assert self.upload(inside, key, most + 1) in (400, 403)
        ends = datetime.fromisoformat(policy["expiration"]).timestamp()
        assert time.time() < ends < time.time() + 2 * 3600

    def test_reads_its_input_and_nothing_else(self, inside: Inside) -> None:
        objects: Mapping[str, str] = inside.order["objects"]
        assert any(key.startswith("attempts/") for key in objects)
        first, *others = objects
        for key, url in objects.items():
            assert httpx2.get(url).status_code == 200, key
            assert httpx2.put(url, content=b"x").status_code == 403
            assert httpx2.delete(url).status_code == 403
        url = objects[first]
        for key in (*others, inside.order["home"] + "/order", ""):
            assert httpx2.get(url.replace(first, key)).status_code == 403, key
