"""The HTTP side of `fake_kube`: paths to verbs, answers, and the streams of watches and logs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.kube_faults import (
    Answer,
    Broken,
    Crumbs,
    Ends,
    Expires,
    Fault,
    Garbage,
    HangUp,
    Silent,
    Slow,
    Torn,
    Twice,
    status_object,
)
from tests.support.kube_objects import Json, merged
from tests.support.loopback import QuietHandler

if TYPE_CHECKING:
    from tests.support.fake_kube import FakeKube

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_VERBS = {"POST": "create", "GET": "get", "PATCH": "patch", "DELETE": "delete"}


class Refused(Exception):
    """The request is answered with a `Status` that refuses it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        self.answer = Answer(status, reason, message)
        super().__init__(message)


class Handler(QuietHandler):
    """One connection; `kube` is set by whoever makes the server."""

    kube: FakeKube

    def do_GET(self) -> None:
        """Answer a GET."""
        self._take("GET")

    def do_POST(self) -> None:
        """Answer a POST."""
        self._take("POST")

    def do_PATCH(self) -> None:
        """Answer a PATCH."""
        self._take("PATCH")

    def do_DELETE(self) -> None:
        """Answer a DELETE."""
        self._take("DELETE")

    # One request

    def _take(self, method: str) -> None:
        from tests.support.fake_kube import Request

        target = urlsplit(self.path)
        query = dict(parse_qsl(target.query))
        raw = self.body()
        resource, name = self._resource(target.path)
        act = f"{self._verb(method, resource, name, query)} {resource}"
        body = json.loads(raw) if raw else None
        fault = self.kube.note(Request(act, name, query, body))
        try:
            if self._spoiled(fault):
                return
            self._authenticate()
            self._placed(act, target.path)
            answer = self._carry_out(act, name, query, body, fault)
        except Refused as error:
            self._reply(error.answer)
            return
        if isinstance(fault, HangUp):
            self.close_connection = True
        elif answer is not None:
            code = 201 if act.startswith("create") else 200
            self.answer(code, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def _resource(self, path: str) -> tuple[str, str]:
        if path == _REVIEWS:
            return "selfsubjectaccessreviews", ""
        parts = path.removeprefix("/api/v1/namespaces/").split("/")
        if len(parts) == 4 and parts[1] == "pods":
            return f"pods/{parts[3]}", parts[2]
        return (parts[1] if len(parts) > 1 else path), (parts[2] if len(parts) > 2 else "")

    def _verb(self, method: str, resource: str, name: str, query: dict[str, str]) -> str:
        verb = _VERBS[method]
        if name or resource == "selfsubjectaccessreviews":
            return verb
        if verb == "get":
            return "watch" if query.get("watch") == "true" else "list"
        return "deletecollection" if verb == "delete" else verb

    def _spoiled(self, fault: Fault | None) -> bool:
        """Whether a fault has dealt with the request already."""
        match fault:
            case Answer():
                self._reply(fault)
            case Garbage():
                self.answer(fault.status, {"Content-Type": "text/html"}, fault.body)
            case Torn():
                self.answer(200, {"Content-Length": "1000"}, b"{")
                self.close_connection = True
            case HangUp(done=False):
                self.close_connection = True
            case Slow():
                self.kube.closing.wait(fault.seconds)
                return False
            case _:
                return False
        return True

    def _authenticate(self) -> None:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token != self.kube.token:
            raise Refused(401, "Unauthorized", "Unauthorized")

    def _placed(self, act: str, path: str) -> None:
        """Refuse to create in a namespace that is not there; to list in one finds nothing."""
        from tests.support.fake_kube import NAMESPACE

        _, found, place = path.partition("/namespaces/")
        namespace = place.partition("/")[0]
        if found and act.startswith("create ") and namespace != NAMESPACE:
            raise Refused(404, "NotFound", f'namespaces "{namespace}" not found')

    def _reply(self, answer: Answer) -> None:
        headers = {"Content-Type": "application/json", **answer.headers}
        self.answer(answer.status, headers, answer.body)

    def _carry_out(
        self, act: str, name: str, query: dict[str, str], body: Any, fault: Fault | None
    ) -> Json | None:
        """Do what is asked and return the answer's JSON, None if it was answered already."""
        options = body or {}
        answers: dict[str, Callable[[], Json | None]] = {
            "create selfsubjectaccessreviews": lambda: self._review(body),
            "create pods": lambda: self._create("pods", body, query),
            "get pods": lambda: self._found("pods", name),
            "list pods": lambda: self._list(query),
            "watch pods": lambda: self._watch(query, fault),
            "patch pods": lambda: self._patch(name, body),
            "delete pods": lambda: self._delete("pods", name, options),
            "deletecollection pods": lambda: self._delete_all("pods", query, options),
            "get pods/log": lambda: self._log(name, query, fault),
            "create secrets": lambda: self._create("secrets", body, query),
            "delete secrets": lambda: self._delete("secrets", name, options),
            "deletecollection secrets": lambda: self._delete_all("secrets", query, options),
            "list events": lambda: self._events(query),
        }
        if act not in answers:
            message = f'User "hookline" cannot {act}'
            raise Refused(403, "Forbidden", message)
        return answers[act]()

    # Objects

    def _found(self, resource: str, name: str) -> Json:
        with self.kube.changed:
            found = self.kube.shelves[resource].get(name)
        if found is None:
            raise Refused(404, "NotFound", f'{resource} "{name}" not found')
        return found

    def _create(self, resource: str, body: Any, query: dict[str, str]) -> Json:
        name = body.get("metadata", {}).get("name")
        if not name or (resource == "pods" and not body.get("spec", {}).get("containers")):
            raise Refused(422, "Invalid", f'"{name}" is invalid: Required value')
        with self.kube.changed:
            if name in self.kube.shelves[resource]:
                raise Refused(409, "AlreadyExists", f'{resource} "{name}" already exists')
            if query.get("dryRun") == "All":
                return dict(body)
            kept = self.kube.accept(resource, body)
        if resource == "pods":
            self.kube.created(kept)
        return kept

    def _patch(self, name: str, body: Any) -> Json:
        if self.headers.get("Content-Type") != "application/merge-patch+json":
            raise Refused(415, "UnsupportedMediaType", "the body is no merge patch")
        with self.kube.changed:
            pod = merged(self._found("pods", name), body)
            kept = self.kube.shelves["pods"].put(pod)
            self.kube.changed.notify_all()
        self.kube.patched(kept)
        return kept

    def _delete(self, resource: str, name: str, options: Json) -> Json:
        found = self._found(resource, name)
        wanted = (options.get("preconditions") or {}).get("uid")
        if wanted not in (None, found["metadata"]["uid"]):
            message = f"the UID in the precondition ({wanted}) does not match the UID in record"
            raise Refused(409, "Conflict", message)
        if resource == "pods":
            return self.kube.delete(name, options.get("gracePeriodSeconds"))
        with self.kube.changed:
            self.kube.shelves[resource].remove(name)
            self.kube.changed.notify_all()
        return {"kind": "Status", "status": "Success"}

    def _delete_all(self, resource: str, query: dict[str, str], options: Json) -> Json:
        with self.kube.changed:
            found = self.kube.shelves[resource].select(query.get("labelSelector", ""))
        for thing in found:
            self._delete(resource, thing["metadata"]["name"], options)
        return {"kind": "List", "items": found}

    def _list(self, query: dict[str, str]) -> Json:
        with self.kube.changed:
            found = self.kube.shelves["pods"].select(query.get("labelSelector", ""))
            version = str(self.kube.versions.now)
        start = int(query.get("continue") or 0)
        size = self.kube.page or int(query.get("limit") or len(found) or 1)
        metadata = {"resourceVersion": version}
        if start + size < len(found):
            metadata["continue"] = str(start + size)
        return {"kind": "PodList", "metadata": metadata, "items": found[start : start + size]}

    def _events(self, query: dict[str, str]) -> Json:
        wanted = dict(part.split("=") for part in query.get("fieldSelector", "").split(",") if part)
        with self.kube.changed:
            found = [
                event
                for event in self.kube.events
                if all(
                    event["involvedObject"].get(field.removeprefix("involvedObject.")) == value
                    for field, value in wanted.items()
                )
            ]
        return {"kind": "EventList", "metadata": {}, "items": found}

    def _review(self, body: Any) -> Json:
        asked = body["spec"]["resourceAttributes"]
        part = f"/{asked['subresource']}" if asked.get("subresource") else ""
        right = f"{asked['verb']} {asked['resource']}{part}"
        return {**body, "status": {"allowed": right not in self.kube.denied}}

    # Streams

    def _watch(self, query: dict[str, str], fault: Fault | None) -> None:
        version = int(query.get("resourceVersion") or 0)
        with self.kube.changed:
            if version < self.kube.shelves["pods"].forgotten:
                raise Refused(410, "Expired", "The resourceVersion is too old.")
        until = time.monotonic() + float(query.get("timeoutSeconds") or 3600)
        events = self._happenings(version, query.get("labelSelector", ""), until)
        self._stream("application/json", events, fault)

    def _happenings(self, version: int, selector: str, until: float) -> Iterator[bytes]:
        """Yield what happens after a version, and bookmarks when nothing does."""
        kube = self.kube
        while not kube.closing.is_set() and time.monotonic() < until:
            with kube.changed:
                changes = kube.shelves["pods"].after(version, selector)
                if not changes:
                    self._await_change(version, min(kube.bookmarks, until - time.monotonic()))
                    changes = kube.shelves["pods"].after(version, selector)
                now = kube.versions.now
            for change in changes:
                yield _event(change.kind, change.object)
            version = max([now, *(change.version for change in changes)])
            if not changes:
                metadata = {"resourceVersion": str(version)}
                yield _event("BOOKMARK", {"kind": "Pod", "metadata": metadata})

    def _await_change(self, version: int, seconds: float) -> None:
        kube = self.kube
        kube.changed.wait_for(
            lambda: kube.closing.is_set() or kube.versions.now > version, max(0.0, seconds)
        )

    def _log(self, name: str, query: dict[str, str], fault: Fault | None) -> None:
        self._found("pods", name)
        container = query.get("container") or "agent"
        with self.kube.changed:
            if (name, container) not in self.kube.logs:
                message = (
                    f'container "{container}" in pod "{name}" is waiting to start: '
                    "ContainerCreating"
                )
                raise Refused(400, "BadRequest", message)
        seconds = float(query.get("sinceSeconds") or 0)
        since = time.time() - seconds if seconds else 0.0
        pieces = self._pieces((name, container), since, query.get("follow") == "true")
        self._stream("text/plain", pieces, fault)

    def _pieces(self, key: tuple[str, str], since: float, follow: bool) -> Iterator[bytes]:
        kube = self.kube
        log = kube.logs[key]
        with kube.changed:
            at = log.rotated
        while not kube.closing.is_set():
            with kube.changed:
                fresh = log.pieces[at:]
                at += len(fresh)
                over = log.ended or not follow
                if not fresh and not over:
                    kube.changed.wait(0.1)
            yield from (data for when, data in fresh if when >= since)
            if over and at >= len(log.pieces):
                return

    def _stream(self, content_type: str, pieces: Iterator[bytes], fault: Fault | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        try:
            if self._send_pieces(pieces, fault):
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def _send_pieces(self, pieces: Iterator[bytes], fault: Fault | None) -> bool:
        """Send pieces as chunks; return whether the stream ends properly."""
        if _spoils(fault, 0):
            return self._spoil(fault)
        for sent, piece in enumerate(pieces, start=1):
            for part in _parts(piece, fault):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
                self.wfile.flush()
            if _spoils(fault, sent):
                return self._spoil(fault)
        return True

    def _spoil(self, fault: Fault | None) -> bool:
        match fault:
            case Broken():
                self.wfile.write(b"40\r\n{cut")
                self.close_connection = True
                return False
            case Silent():
                self.kube.closing.wait(60)
                self.close_connection = True
                return False
            case Expires():
                expired = status_object(410, "Expired", "too old resource version")
                line = _event("ERROR", dict(expired))
                self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
            case _:
                pass
        return True


def _event(kind: str, thing: Json) -> bytes:
    return json.dumps({"type": kind, "object": thing}).encode() + b"\n"


def _spoils(fault: Fault | None, sent: int) -> bool:
    return isinstance(fault, Broken | Ends | Silent | Expires) and sent >= fault.after


def _parts(piece: bytes, fault: Fault | None) -> Iterator[bytes]:
    match fault:
        case Twice():
            yield from (piece, piece)
        case Crumbs(size):
            yield from (piece[at : at + size] for at in range(0, len(piece), size))
        case _:
            if piece:
                yield piece
