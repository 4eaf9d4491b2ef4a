"""Removes from the cluster what no run that goes on knows of, and tells what that was."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from runner.executors.kubernetes.forgetting import GRACE
from runner.executors.kubernetes.views import PodView, selector
from runner.kube.client import KubeClient
from runner.kube.podspec import BORN, RUN, hour

log = logging.getLogger("hookline.kubernetes")

YOUNG = 600.0
"""Seconds for which a Pod is spared: its run may be too new to be known to who swept."""


def sweep(
    client: KubeClient, instance: str, pods: Iterable[PodView], known: Collection[str], now: float
) -> tuple[str, ...]:
    """Delete Pods and Secrets of runs that are not `known`; return the names of the Pods.

    A Pod that was deleted before and is still there is deleted by force. Secrets are never read:
    those of the last hours are spared by the label that says when they were made.
    """
    swept = []
    for pod in pods:
        if pod.attempt.run in known or now - (pod.facts.created_at or now) < YOUNG:
            continue
        log.warning("Pod %s belongs to run %s, which is over", pod.name, pod.attempt.run)
        client.delete_pod(pod.name, grace=0.0 if pod.leaving else GRACE, uid=pod.uid)
        swept.append(pod.name)
    client.delete_secrets(_stale(instance, known, now))
    return tuple(swept)


def _stale(instance: str, known: Collection[str], now: float) -> str:
    """Return the selector of the Secrets that nobody can want any more."""
    fresh = ",".join(hour(now - age) for age in (0.0, 3600.0))
    runs = f",{RUN} notin ({','.join(sorted(known))})" if known else ""
    return f"{selector(instance)}{runs},{BORN} notin ({fresh})"
