"""The node: containerd, kubelet and CNI, their configuration, and images brought without a registry."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.testbed.archive import write_archive
from tests.testbed.layout import NODE_NAME, Layout
from tests.testbed.processes import ENVIRONMENT, PATH
from tests.testbed.tools import TestbedError, binary

_PAUSE_IMAGE = "docker.io/local/pause:1"
_NAMESERVER = "10.96.0.10"

# `restrict_oom_score_adj`: without CAP_SYS_RESOURCE runc may not lower the score and fails.
# The plugin `opt` would make /opt/containerd.
_CONTAINERD = """version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  max_container_log_line_size = -1
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "{folder}/runc"
"""


def configure(layout: Layout) -> None:
    """Write the configuration of containerd, CNI and the kubelet."""
    (layout.containerd / "cni").mkdir(parents=True)
    layout.kubelet.mkdir()
    text = _CONTAINERD.format(folder=layout.containerd, socket=layout.socket, pause=_PAUSE_IMAGE)
    (layout.containerd / "config.toml").write_text(text)
    network = layout.containerd / "cni" / "10-testbed.conflist"
    network.write_text(json.dumps(_network(layout), indent=1))
    (layout.kubelet / "resolv.conf").write_text(f"nameserver {_NAMESERVER}\n")
    (layout.kubelet / "config.json").write_text(json.dumps(_kubelet(layout), indent=1))


def containerd(layout: Layout) -> list[str]:
    """Return containerd's command."""
    return ["containerd", "--config", str(layout.containerd / "config.toml")]


def kubelet(layout: Layout) -> list[str]:
    """Return the kubelet's command."""
    return [
        str(binary("kubelet")),
        f"--config={layout.kubelet / 'config.json'}",
        f"--kubeconfig={layout.certificates / 'kubelet.kubeconfig'}",
        f"--root-dir={layout.kubelet / 'root'}",
        f"--cert-dir={layout.kubelet / 'certificates'}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={layout.node}",
    ]


def load_pause(layout: Layout) -> None:
    """Give containerd the image that holds a Pod's namespaces open."""
    busybox = shutil.which("busybox", path=PATH)
    if busybox is None:
        message = "no `busybox`; install Debian's busybox-static"
        raise TestbedError(message)
    archive = layout.containerd / "pause.tar"
    write_archive(archive, _PAUSE_IMAGE, Path(busybox), ["/bin/busybox", "sleep", "2147483647"])
    load_image(layout, archive)


def load_image(layout: Layout, archive: Path) -> None:
    """Give containerd an OCI archive; its image is then there under the name that the archive says."""
    control(layout, "images", "import", str(archive))


def control(layout: Layout, *arguments: str) -> str:
    """Return what containerd's `ctr` says to the arguments. TestbedError if it refuses."""
    command = ["ctr", "--address", str(layout.socket), "--namespace", "k8s.io", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    if done.returncode:
        message = f"`ctr {' '.join(arguments)}` failed: {done.stderr.strip()}"
        raise TestbedError(message)
    return done.stdout


def _network(layout: Layout) -> dict[str, object]:
    """Return the Pods' network: a link for each to the node, which routes, so that it can refuse.

    On a bridge Pods would reach each other past the node's rules.
    """
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": layout.pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": "testbed",
        "plugins": [{"type": "ptp", "ipam": addresses}],
    }


def _kubelet(layout: Layout) -> dict[str, object]:
    """Return the kubelet's configuration: quick to notice, slow to evict or to remove images.

    https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/
    """
    files = layout.certificates
    room = {
        "memory.available": "100Mi",
        "nodefs.available": "1%",
        "nodefs.inodesFree": "1%",
        "imagefs.available": "1%",
    }
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.node,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(files / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(files / "kubelet.crt"),
        "tlsPrivateKeyFile": str(files / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{layout.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": layout.cgroup,
        "failSwapOn": False,
        "failCgroupV1": False,
        "oomScoreAdj": 0,
        "clusterDNS": [_NAMESERVER],
        "resolvConf": str(layout.kubelet / "resolv.conf"),
        "podLogsDir": str(layout.kubelet / "logs"),
        "evictionHard": room,
        "evictionPressureTransitionPeriod": "10s",
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": False,
        "nodeLeaseDurationSeconds": 16,
        "nodeStatusUpdateFrequency": "4s",
        "volumeStatsAggPeriod": "10s",
        "containerLogMaxSize": "4Mi",
        "containerLogMonitorInterval": "3s",
        "maxPods": 240,
    }
