"""What the executor wants a Pod to do: the order, as it lies in the object store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.agent.errors import OrderError
from runner.objects.base import Upload

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class PodOrder:
    """An order, field by field as `docs/pods.md` describes it.

    Times are seconds, `log_limit` and `memory` bytes; `memory` is what the step's container may
    use, None if that is not known. The addresses let their holder in, so they are never shown.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    outputs: tuple[str, ...]
    artifacts: tuple[str, ...]
    timeout: float
    grace: float
    log_limit: int
    input: str
    home: str
    objects: Mapping[str, str] = field(repr=False)
    upload: Upload = field(repr=False)
    memory: int | None = None


def parse(raw: bytes) -> PodOrder:
    """Return the order that these bytes are; raise `OrderError`."""
    try:
        record = json.loads(raw)
        version = record["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise OrderError("the order is not a JSON object with a version") from error
    if version != VERSION:
        raise OrderError(
            f"the order is of version {version!r}, this agent knows {VERSION}:"
            " give agent and server the same image"
        )
    return _Fields(record).order()


class _Fields:
    """The fields of an order, each of which must be what it should be."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = record

    def order(self) -> PodOrder:
        upload = _Fields(self._take("upload", dict))
        return PodOrder(
            command=self._texts("command"),
            environment=self._mapping("environment"),
            outputs=self._texts("outputs"),
            artifacts=self._texts("artifacts"),
            timeout=float(self._take("timeout", int, float)),
            grace=float(self._take("grace", int, float)),
            log_limit=self._take("log_limit", int),
            input=self._take("input", str),
            home=self._take("home", str),
            objects=self._mapping("objects"),
            upload=Upload(
                url=upload._take("url", str),
                fields=upload._mapping("fields"),
                prefix=upload._take("prefix", str),
            ),
            memory=self._take("memory", int) if self._record.get("memory") is not None else None,
        )

    def _take(self, name: str, *kinds: type) -> Any:
        value = self._record.get(name)
        if type(value) not in kinds:
            # Not the value itself: it may be an address that lets its holder in.
            raise OrderError(f"`{name}` of the order is missing or of the wrong kind")
        return value

    def _texts(self, name: str) -> tuple[str, ...]:
        values = self._take(name, list)
        if not all(type(value) is str for value in values):
            raise OrderError(f"`{name}` of the order is no list of texts")
        return tuple(values)

    def _mapping(self, name: str) -> dict[str, str]:
        values: dict[str, str] = self._take(name, dict)
        if not all(type(value) is str for value in values.values()):
            raise OrderError(f"`{name}` of the order has a value that is no text")
        return values
