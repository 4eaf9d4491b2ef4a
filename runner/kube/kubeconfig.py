"""How the cluster is reached: a kubeconfig, or inside a cluster the Pod's own service account.

The `kubernetes` package reads both (addresses, authorities, credentials and their plugins). What it
trips over is told by the name of the setting that led to it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kubernetes.client.configuration import Configuration
from kubernetes.config import load_kube_config
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.config.kube_config import ConfigNode, KubeConfigMerger

from runner.kube.errors import NotConfigured, on_one_line
from runner.settings_model import Kubernetes

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def configuration(
    settings: Kubernetes,
    environ: Mapping[str, str],
    service_account: Path = SERVICE_ACCOUNT,
) -> Configuration:
    """Return how the cluster is reached: the setting's file, `KUBECONFIG`, the Pod's own account.

    A proxy comes from the kubeconfig (`proxy-url`), never from the environment, and so do the
    authorities where it names some. Raise `NotConfigured` if there is nothing usable.
    """
    found = Configuration()
    found.proxy = None
    found.no_proxy = None
    if settings.kubeconfig:
        _read(found, "kubernetes.kubeconfig", str(settings.kubeconfig), settings.context)
    elif file := environ.get("KUBECONFIG"):
        _read(found, "KUBECONFIG", file, settings.context)
    else:
        _of_this_pod(found, environ, service_account)
    return found


def _read(found: Configuration, setting: str, file: str, context: str | None) -> None:
    """Fill a configuration from a kubeconfig, or several with colons between them."""
    paths = [Path(part).expanduser() for part in file.split(os.pathsep) if part]
    if not any(path.exists() for path in paths):
        message = f"{setting}: there is no file {file}"
        raise NotConfigured(message, cure="name a kubeconfig that exists and can be read")
    try:
        whole: ConfigNode = KubeConfigMerger(file).config  # type: ignore[no-untyped-call]
        wanted = context or whole["current-context"]
        names = [held["name"] for held in whole["contexts"].value]
        if wanted in names:
            load_kube_config(  # type: ignore[no-untyped-call]
                config_file=file,
                context=context,
                client_configuration=found,
                persist_config=False,
            )
            found.proxy = _proxy(whole, wanted)
    except Exception as error:  # the loader trips over a file of another shape in any way
        message = f"{setting}: the kubeconfig {file} cannot be used: {_reason(error)}"
        raise NotConfigured(message, cure="`kubectl --kubeconfig` says more about it") from error
    if wanted not in names:
        message = f"{setting}: the kubeconfig {file} has no context `{wanted}`"
        cure = f"let kubernetes.context be one of those that it has: {', '.join(names)}"
        raise NotConfigured(message, cure=cure)


def _reason(error: Exception) -> str:
    """Return what the loader says; where it trips over something, that says little by itself."""
    told = on_one_line(str(error))
    trips = isinstance(error, AttributeError | LookupError | TypeError)
    return f"it is not shaped like one ({told})" if trips else told


def _proxy(whole: ConfigNode, context: str) -> str | None:
    """Return the `proxy-url` of a context's cluster, which `kubernetes` 36 does not look at."""
    node = whole["contexts"].get_with_name(context)
    name = node["context"]["cluster"]
    cluster = whole["clusters"].get_with_name(name)["cluster"]
    proxy: str | None = cluster.value.get("proxy-url")
    return proxy


def _of_this_pod(found: Configuration, environ: Mapping[str, str], service_account: Path) -> None:
    try:
        InClusterConfigLoader(  # type: ignore[no-untyped-call]
            token_filename=str(service_account / "token"),
            cert_filename=str(service_account / "ca.crt"),
            environ=environ,
        ).load_and_set(found)
    except Exception as error:
        message = f"no cluster is known, and this is no Pod with a service account ({error})"
        cure = "set kubernetes.kubeconfig or KUBECONFIG, or run inside a cluster"
        raise NotConfigured(message, cure=cure) from error
