"""What an API server keeps of one kind: objects, their versions, and what happened to them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """Something that happened to an object, at a version of the server."""

    version: int
    kind: str
    object: Json


class Versions:
    """The server's one counter, from which every change takes a number."""

    def __init__(self) -> None:
        self.now = 100

    def next(self) -> int:
        """Return the number of the next change."""
        self.now += 1
        return self.now


class Shelf:
    """The objects of one kind; whoever uses it holds the server's lock."""

    def __init__(self, versions: Versions) -> None:
        self.changes: list[Change] = []
        self.forgotten = 0
        self._objects: dict[str, Json] = {}
        self._versions = versions

    def __contains__(self, name: object) -> bool:
        return name in self._objects

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._objects))

    def get(self, name: str) -> Json | None:
        """Return a copy of an object, None if there is none."""
        return copy.deepcopy(self._objects.get(name))

    def put(self, thing: Json) -> Json:
        """Keep an object, new or changed, and return it with its new version."""
        name = thing["metadata"]["name"]
        kind = "MODIFIED" if name in self._objects else "ADDED"
        return self._note(kind, thing)

    def remove(self, name: str) -> Json:
        """Take an object away and return it as it was last, at the version of its deletion."""
        return self._note("DELETED", self._objects.pop(name))

    def select(self, selector: str) -> list[Json]:
        """Return copies of the objects that a label selector matches, in the order of names."""
        found = (self._objects[name] for name in sorted(self._objects))
        return [copy.deepcopy(thing) for thing in found if matches(selector, thing)]

    def after(self, version: int, selector: str) -> list[Change]:
        """Return what happened after a version to objects that a selector matches."""
        return [
            change
            for change in self.changes
            if change.version > version and matches(selector, change.object)
        ]

    def forget(self) -> None:
        """Forget all that happened up to now: whoever watches from before must list again."""
        self.forgotten = self._versions.now
        self.changes.clear()

    def _note(self, kind: str, thing: Json) -> Json:
        version = self._versions.next()
        kept = copy.deepcopy(thing)
        kept["metadata"]["resourceVersion"] = str(version)
        if kind != "DELETED":
            self._objects[kept["metadata"]["name"]] = kept
        self.changes.append(Change(version, kind, copy.deepcopy(kept)))
        return copy.deepcopy(kept)


def matches(selector: str, thing: Mapping[str, Any]) -> bool:
    """Whether a label selector (`a=b,c!=d,e,!f,g in (h,i)`) matches an object."""
    labels = thing["metadata"].get("labels") or {}
    terms = [term.strip() for term in re.split(r",(?![^(]*\))", selector) if term.strip()]
    return all(_holds(term, labels) for term in terms)


def _holds(term: str, labels: Mapping[str, str]) -> bool:
    if found := re.fullmatch(r"(\S+) +(in|notin) +\((.*)\)", term):
        values = {value.strip() for value in found[3].split(",")}
        return (labels.get(found[1]) in values) is (found[2] == "in")
    if "!=" in term:
        name, _, value = term.partition("!=")
        return labels.get(name) != value
    if "=" in term:
        name, _, value = term.replace("==", "=").partition("=")
        return labels.get(name) == value
    return (term.removeprefix("!") in labels) is not term.startswith("!")


def merged(target: Any, patch: Any) -> Any:
    """Return what a JSON merge patch (RFC 7396) makes of a value."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
