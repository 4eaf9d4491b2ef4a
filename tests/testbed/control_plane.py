"""The control plane: etcd, API server, controller-manager and scheduler, as commands and checks."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from tests.testbed.layout import NODE_NAME, Layout
from tests.testbed.tools import binary

_SERVICES = "10.96.0.0/16"
_ETCD = "http://127.0.0.1:2379"


def etcd(layout: Layout) -> list[str]:
    """Return etcd's command; nothing is synced, as nobody wants this data after a power cut."""
    peer = "http://127.0.0.1:2380"
    return [
        str(binary("etcd")),
        f"--data-dir={layout.folder / 'etcd'}",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(layout: Layout) -> list[str]:
    """Return the API server's command.

    Without the address types it would look the node's name up in DNS to fetch a log.
    """
    files = layout.certificates
    return [
        str(binary("kube-apiserver")),
        f"--etcd-servers={_ETCD}",
        f"--bind-address={layout.node}",
        f"--advertise-address={layout.node}",
        "--secure-port=6443",
        f"--service-cluster-ip-range={_SERVICES}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={files / 'ca.crt'}",
        f"--tls-cert-file={files / 'api.crt'}",
        f"--tls-private-key-file={files / 'api.key'}",
        f"--kubelet-certificate-authority={files / 'ca.crt'}",
        f"--kubelet-client-certificate={files / 'api-to-kubelet.crt'}",
        f"--kubelet-client-key={files / 'api-to-kubelet.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={files / 'accounts.pub'}",
        f"--service-account-signing-key-file={files / 'accounts.key'}",
        "--profiling=false",
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit}",
    ]


def write_audit_policy(layout: Layout) -> None:
    """Have the API server note who asked for what, once for each request."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
    layout.audit_policy.write_text(json.dumps(policy, indent=1))


def controller_manager(layout: Layout) -> list[str]:
    """Return the controller-manager's command; after 20 seconds it takes a silent node for gone.

    Its Pods are then not ready. They are not evicted, as there is no other node: where all are gone
    it takes the fault for its own.
    """
    files = layout.certificates
    return [
        str(binary("kube-controller-manager")),
        f"--kubeconfig={files / 'controller-manager.kubeconfig'}",
        f"--service-account-private-key-file={files / 'accounts.key'}",
        f"--root-ca-file={files / 'ca.crt'}",
        "--use-service-account-credentials",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--node-monitor-period=2s",
        "--node-monitor-grace-period=20s",
        *_served(layout, "controller-manager"),
    ]


def scheduler(layout: Layout) -> list[str]:
    """Return the scheduler's command."""
    return [
        str(binary("kube-scheduler")),
        f"--kubeconfig={layout.certificates / 'scheduler.kubeconfig'}",
        *_served(layout, "scheduler"),
    ]


def answers(layout: Layout, port: int, path: str) -> bool:
    """Say whether the server at that port of the node answers the path with 200."""
    return _get(layout, port, path)[0] == 200


def node_is_ready(layout: Layout) -> bool:
    """Say whether a Pod would be started: nothing keeps it off the node, its account is there."""
    if not answers(layout, 6443, "/api/v1/namespaces/default/serviceaccounts/default"):
        return False
    code, body = _get(layout, 6443, f"/api/v1/nodes/{NODE_NAME}")
    if code != 200:
        return False
    node: dict[str, Any] = json.loads(body)
    conditions = node["status"].get("conditions", [])
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and not node["spec"].get("taints")


def _served(layout: Layout, name: str) -> list[str]:
    return [
        "--leader-elect=false",
        "--profiling=false",
        f"--bind-address={layout.node}",
        f"--tls-cert-file={layout.certificates / f'{name}.crt'}",
        f"--tls-private-key-file={layout.certificates / f'{name}.key'}",
    ]


def _get(layout: Layout, port: int, path: str) -> tuple[int, bytes]:
    """Return code and body as the administrator sees them; 0 if there is no answer."""
    context = ssl.create_default_context(cafile=str(layout.certificates / "ca.crt"))
    context.load_cert_chain(layout.certificates / "admin.crt", layout.certificates / "admin.key")
    connection = http.client.HTTPSConnection(layout.node, port, timeout=5, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
