"""Opens the executor that the settings name, and loads the client of Kubernetes only for Pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.executors.base import Executor, ExecutorError
from runner.executors.local import LocalExecutor
from runner.logs import LogBook
from runner.objects.base import SharedStore
from runner.workspace.snapshots import Snapshots

if TYPE_CHECKING:
    from runner.settings_model import Settings


class ExecutorUnusable(ExecutorError):
    """The executor cannot work as the settings say."""

    code = "executor-unusable"


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
    settings: Settings, objects: SharedStore, snapshots: Snapshots, logs: LogBook
) -> Executor:
    """Return what runs steps as Pods; raise `ExecutorUnusable` if the cluster is no use.

    The rights in the namespace are looked at first, so that what is missing is said at once.
    """
    try:
        from runner.executors.kubernetes.executor import KubernetesExecutor  # noqa: PLC0415
        from runner.kube.client import connect  # noqa: PLC0415 - large, and an extra
    except ModuleNotFoundError as error:
        message = 'executor = "kubernetes" needs its client: install hookline[kubernetes]'
        raise ExecutorUnusable(message) from error
    from runner.kube.errors import KubeError  # noqa: PLC0415 - comes with the client

    where = f"the namespace {settings.kubernetes.namespace}"
    try:
        client = connect(settings.kubernetes)
        missing = client.missing()
    except KubeError as error:
        message = f"executor: {where} cannot be used: {error}"
        raise ExecutorUnusable(message) from error
    if missing:
        client.close()
        lacking = ", ".join(str(permission) for permission in missing)
        message = f"executor: in {where} these rights are missing: {lacking}"
        raise ExecutorUnusable(message)
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
