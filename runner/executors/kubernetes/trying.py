"""What is tried at a cluster before anything is to run there, so that a wrong setting tells early."""

from __future__ import annotations

from runner.executors.base import ExecutorAway, ExecutorUnusable
from runner.kube.client import KubeClient
from runner.kube.errors import KubeError, NotConfigured, Unauthorized, Untrusted, on_one_line

RIGHTS = "give them to it by a Role and a RoleBinding there, as the chart does"


def try_cluster(client: KubeClient) -> None:
    """Look for the rights that it takes, and for the namespace; raise `ExecutorUnusable`.

    It is an `ExecutorAway` if the cluster does not answer, which may pass.
    """
    try:
        missing = client.missing()
        if not missing and not client.has_namespace():
            message = f"executor: there is no namespace {client.namespace}"
            cure = "make it, or name another one in kubernetes.namespace"
            raise ExecutorUnusable(message, cure=cure)
    except KubeError as error:
        raise unusable(error, client.namespace) from error
    if missing:
        lacking = ", ".join(str(permission) for permission in missing)
        message = (
            f"executor: in the namespace {client.namespace} these rights are missing: {lacking}"
        )
        raise ExecutorUnusable(message, cure=RIGHTS)


def unusable(error: KubeError, namespace: str) -> ExecutorUnusable:
    """Return what it means for the executor that a cluster cannot be asked."""
    if isinstance(error, NotConfigured):
        return ExecutorUnusable(f"executor: {error.message}", cure=error.cure)
    told = on_one_line(error.message)
    message = f"executor: the cluster with the namespace {namespace} cannot be used: {told}"
    if isinstance(error, Untrusted):
        cure = "look at `server` and its certificate authority in the kubeconfig"
        return ExecutorUnusable(message, cure=cure)
    if error.passing:
        cure = "look whether it runs, and at `server` and `proxy-url` in the kubeconfig"
        return ExecutorAway(message, cure=cure)
    if isinstance(error, Unauthorized):
        cure = "look at the user of the context in the kubeconfig, or at the Pod's service account"
        return ExecutorUnusable(message, cure=cure)
    cure = "look whether `server` in the kubeconfig is an API server, and at the rights there"
    return ExecutorUnusable(message, cure=cure)
