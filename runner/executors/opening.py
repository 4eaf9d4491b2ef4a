"""Opens the executor that the settings name, and loads the client of Kubernetes only for Pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.executors.base import Executor, ExecutorAway, ExecutorUnusable
from runner.executors.local import LocalExecutor
from runner.logs import LogBook
from runner.objects.base import SharedStore
from runner.readiness import Reach, at_once
from runner.workspace.snapshots import Snapshots

if TYPE_CHECKING:
    from runner.settings_model import Settings


def open_local(settings: Settings, logs: LogBook) -> Executor:
    """Return what runs steps as processes; raise `ExecutorUnusable` if the store is no folder."""
    folder = settings.object_folder
    if folder is None:
        message = (
            f'executor = "local" needs an object_store that is a folder, not '
            f'{settings.object_store}; with S3, use executor = "kubernetes"'
        )
        raise ExecutorUnusable(message)
    return LocalExecutor(
        settings.data / "work",
        objects=folder,
        logs=logs,
        pass_environment=settings.local.pass_environment,
        log_limit=settings.limits.log,
    )


def open_kubernetes(
    settings: Settings,
    objects: SharedStore,
    snapshots: Snapshots,
    logs: LogBook,
    reach: Reach = at_once,
) -> Executor:
    """Return what runs steps as Pods; raise `ExecutorUnusable` if the cluster is no use.

    The rights in the namespace are looked at first, so that what is missing is said at once.
    Whether a cluster that is away is waited for is up to `reach`.
    """
    try:
        from runner.executors.kubernetes import trying  # noqa: PLC0415
        from runner.executors.kubernetes.executor import KubernetesExecutor  # noqa: PLC0415
        from runner.kube.client import connect  # noqa: PLC0415 - large, and an extra
    except ModuleNotFoundError as error:
        message = 'executor = "kubernetes" needs its client: install hookline[kubernetes]'
        raise ExecutorUnusable(message) from error
    from runner.kube.errors import KubeError  # noqa: PLC0415 - comes with the client

    try:
        client = connect(settings.kubernetes)
    except KubeError as error:
        raise trying.unusable(error, settings.kubernetes.namespace) from error
    try:
        reach("the cluster", lambda: trying.try_cluster(client), (ExecutorAway,))
    except ExecutorUnusable:
        client.close()
        raise
    ca = settings.s3.ca_file.read_text() if settings.s3.ca_file else ""
    return KubernetesExecutor(
        client,
        settings=settings.kubernetes,
        objects=objects,
        snapshots=snapshots,
        logs=logs,
        log_limit=settings.limits.log,
        waiting=settings.limits.waiting,
        ca=ca,
    )
