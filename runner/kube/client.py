"""What Hookline asks of Kubernetes: Pods, their logs and events, Secrets that it never reads."""

from __future__ import annotations

import json
import math
import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias

from runner.kube.backoff import Backoff, Jitter
from runner.kube.connection import Connection, Stream
from runner.kube.errors import (
    Conflict,
    Invalid,
    KubeError,
    NotFound,
    NotReady,
    Unreachable,
    event_refusal,
)
from runner.kube.kubeconfig import configuration
from runner.settings_model import Kubernetes

TRIES = 5
PAGE = 500
SILENCE = 90.0
"""Seconds a watch may say nothing: more than the minute between two bookmarks."""

FOLLOWERS = 256
"""Logs that are followed at the same time, at most."""

Manifest: TypeAlias = Mapping[str, Any]
Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Permission:
    """A right in the namespace, such as `get pods/log`."""

    verb: str
    resource: str
    subresource: str = ""

    def __str__(self) -> str:
        part = f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} {self.resource}{part}"


REQUIRED = (
    *(
        Permission(verb, "pods")
        for verb in ("create", "delete", "deletecollection", "get", "list", "patch", "watch")
    ),
    Permission("get", "pods", "log"),
    *(Permission(verb, "secrets") for verb in ("create", "delete", "deletecollection")),
    Permission("list", "events"),
)
"""All that Hookline needs in the namespace where steps run, and nothing more."""


@dataclass(frozen=True)
class PodList:
    """All Pods that a selector matches, and the resourceVersion to watch from."""

    pods: tuple[Json, ...]
    version: str


class Watch:
    """The events of a watch as they come, `{"type": …, "object": …}`, bookmarks included."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Json]:
        """Yield events until the server ends the watch or `abort` is called.

        Raise `Gone` if the version is too old, `Silence` and `Unreachable` as streams do. A last
        event that came only in part is left out: whoever resumes gets it again.
        """
        for line in whole_lines(self._stream):
            event = _event(line)
            if event.get("type") == "ERROR":
                raise event_refusal(event.get("object") or {})
            yield event

    def abort(self) -> None:
        """End the watch at once, from any thread."""
        self._stream.abort()


def whole_lines(pieces: Iterator[bytes] | Stream) -> Iterator[bytes]:
    """Yield the lines of a stream without their newlines; what follows the last one is dropped."""
    rest: list[bytes] = []
    for piece in pieces:
        first, *others = piece.split(b"\n")
        rest.append(first)
        for line in others:
            yield b"".join(rest)
            rest = [line]


class KubeClient:
    """The namespace in which steps run. Every method raises `KubeError`; all are thread-safe.

    What may pass by itself (no answer, 5xx, 429, a conflict of two writers) is tried again a few
    times, with growing pauses and as `Retry-After` asks; every request may safely be sent twice,
    because names are fixed. So what is raised as `passing` was tried for some seconds.
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        *,
        jitter: Jitter = random.random,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Make one; `pause` waits some seconds and is cut short by `close` if not given."""
        self.namespace = namespace
        self._connection = connection
        self._jitter = jitter
        self._closed = threading.Event()
        self._pause = pause or self._closed.wait
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"

    def create_pod(self, pod: Manifest) -> Json:
        """Create a Pod from its manifest and return it as stored; `AlreadyExists` if it is there.

        `Forbidden`, `QuotaExceeded`, `PodSecurityRefused` and `Invalid` say what is refused.
        """
        return self._ask("POST", self._pods, "create pods", body=pod)

    def get_pod(self, name: str) -> Json | None:
        """Return a Pod, None if there is none."""
        try:
            return self._ask("GET", f"{self._pods}/{name}", f"get pod {name}")
        except NotFound:
            return None

    def delete_pod(self, name: str, *, grace: float | None = None, uid: str | None = None) -> None:
        """Have a Pod deleted; one that is not there is fine.

        `grace` are seconds between SIGTERM and SIGKILL, without it the Pod's own; with `uid` no
        other Pod of that name is touched (it counts as not there).
        """
        try:
            self._ask("DELETE", f"{self._pods}/{name}", f"delete pod {name}", _deletion(grace, uid))
        except NotFound:
            return
        except Conflict:
            if uid is None:
                raise

    def delete_pods(self, selector: str, *, grace: float | None = None) -> None:
        """Have all Pods deleted that a label selector matches."""
        query = {"labelSelector": _wanted(selector)}
        self._ask("DELETE", self._pods, "deletecollection pods", _deletion(grace, None), query)

    def patch_annotations(self, name: str, annotations: Mapping[str, str | None]) -> Json:
        """Set annotations of a Pod (None takes one away) and return it; `NotFound` without it."""
        body = {"metadata": {"annotations": dict(annotations)}}
        kind = "application/merge-patch+json"
        return self._ask("PATCH", f"{self._pods}/{name}", f"patch pod {name}", body, None, kind)

    def list_pods(self, selector: str) -> PodList:
        """Return the Pods that a selector matches, read from a quorum, so never out of date.

        Raise `Gone` if the list came in parts and grew too old between two of them.
        """
        query = {"labelSelector": selector, "limit": str(PAGE)}
        pods: list[Json] = []
        while True:
            page = self._ask("GET", self._pods, "list pods", None, query)
            pods.extend(page.get("items") or ())
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return PodList(tuple(pods), str(metadata.get("resourceVersion") or ""))
            query["continue"] = metadata["continue"]

    def watch_pods(
        self, selector: str, version: str, *, timeout: float, silence: float = SILENCE
    ) -> Watch:
        """Return what happens to Pods after `version`; the server ends it after `timeout` seconds.

        `silence` is how many seconds without even a bookmark are borne. It is not tried again.
        """
        query = {
            "watch": "true",
            "labelSelector": selector,
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(math.ceil(timeout)),
        }
        return Watch(
            self._connection.stream(self._pods, query=query, silence=silence, doing="watch pods")
        )

    def pod_log(
        self,
        name: str,
        container: str,
        *,
        follow: bool = False,
        since: float | None = None,
        limit: int | None = None,
        silence: float = 30.0,
    ) -> Stream:
        """Return a container's log as it comes, of the last `since` seconds or from its beginning.

        At most `limit` bytes of it. Raise `NotReady` before the container has run, `NotFound`
        without the Pod. It is not tried again.
        """
        query = {"container": container}
        if follow:
            query["follow"] = "true"
        if since is not None:
            query["sinceSeconds"] = str(max(1, math.ceil(since)))
        if limit is not None:
            query["limitBytes"] = str(limit)
        path = f"{self._pods}/{name}/log"
        try:
            return self._connection.stream(
                path, query=query, silence=silence, doing=f"get log of pod {name}"
            )
        except Invalid as error:
            if error.status == 400:
                raise NotReady(error.message, status=400, reason=error.reason) from error
            raise

    def create_secret(self, secret: Manifest) -> None:
        """Create a Secret from its manifest; `AlreadyExists` if it is there."""
        self._ask("POST", self._secrets, "create secrets", body=secret)

    def delete_secret(self, name: str) -> None:
        """Delete a Secret; one that is not there is fine."""
        try:
            self._ask("DELETE", f"{self._secrets}/{name}", f"delete secret {name}")
        except NotFound:
            return

    def delete_secrets(self, selector: str) -> None:
        """Delete all Secrets that a label selector matches."""
        query = {"labelSelector": _wanted(selector)}
        self._ask("DELETE", self._secrets, "deletecollection secrets", None, query)

    def pod_events(self, name: str, uid: str | None = None) -> tuple[Json, ...]:
        """Return the events about a Pod, those about others that had its name left out by `uid`."""
        fields = f"involvedObject.kind=Pod,involvedObject.name={name}"
        if uid is not None:
            fields += f",involvedObject.uid={uid}"
        path = f"/api/v1/namespaces/{self.namespace}/events"
        query = {"fieldSelector": fields, "limit": str(PAGE)}
        return tuple(self._ask("GET", path, "list events", None, query).get("items") or ())

    def missing(self, wanted: tuple[Permission, ...] = REQUIRED) -> tuple[Permission, ...]:
        """Return which of some rights in the namespace we lack, by SelfSubjectAccessReviews."""
        return tuple(permission for permission in wanted if not self._allowed(permission))

    def has_namespace(self) -> bool:
        """Whether the namespace is there, as far as that shows without a right to look at it.

        Whatever is created in one that is not there, also for show only, is not found.
        """
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hookline-check"}}
        try:
            self._ask("POST", self._secrets, "create secrets", secret, {"dryRun": "All"})
        except NotFound:
            return False
        except Unreachable:
            raise
        except KubeError:  # a quota, a policy: somebody has looked at what is there
            return True
        return True

    def close(self) -> None:
        """Stop trying again, and close idle connections."""
        self._closed.set()
        self._connection.close()

    def _allowed(self, permission: Permission) -> bool:
        attributes = {
            "namespace": self.namespace,
            "verb": permission.verb,
            "resource": permission.resource,
            "subresource": permission.subresource,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        status = self._ask("POST", path, "create selfsubjectaccessreviews", review).get("status")
        return bool((status or {}).get("allowed"))

    def _ask(
        self,
        method: str,
        path: str,
        doing: str,
        body: Manifest | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """Send a request, again if that may help, and return its answer."""
        backoff = Backoff(0.25, 4.0, self._jitter)
        tries = 1
        while True:
            try:
                return self._connection.request(
                    method, path, query=query, body=body, content_type=content_type, doing=doing
                )
            except KubeError as error:
                if tries == TRIES or self._closed.is_set() or not _worthwhile(method, error):
                    raise
                self._pause(backoff.next(error.retry_after))
            tries += 1


def _event(line: bytes) -> Json:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict) or "object" not in event:
        message = "watch pods: what came is no event"
        raise Unreachable(message)
    return event


def connect(
    settings: Kubernetes, *, environ: Mapping[str, str] = os.environ, followers: int = FOLLOWERS
) -> KubeClient:
    """Return a client for the settings' cluster and namespace, with room for so many open logs.

    Nothing is asked of the cluster yet. Raise `NotConfigured` if it is not known how to reach it.
    """
    connection = Connection(configuration(settings, environ), width=followers + 16)
    return KubeClient(connection, settings.namespace)


def _worthwhile(method: str, error: KubeError) -> bool:
    """Whether the same request is sent again now: a quota may pass too, but not within seconds."""
    if isinstance(error, Conflict):
        return method in ("POST", "PATCH")
    return isinstance(error, Unreachable)


def _deletion(grace: float | None, uid: str | None) -> Json:
    options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    if grace is not None:
        options["gracePeriodSeconds"] = math.ceil(grace)
    if uid is not None:
        options["preconditions"] = {"uid": uid}
    return options


def _wanted(selector: str) -> str:
    """Return a selector; an empty one, which would match what is not ours, is a mistake."""
    if not selector.strip():
        message = "a collection is deleted by label selector, and this one is empty"
        raise ValueError(message)
    return selector
