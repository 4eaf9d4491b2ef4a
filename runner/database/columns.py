"""Column types that turn what is stored into the words the rest of Hookline uses."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from pipelines.events import from_record, to_record
from runner.executors.base import Artifact

# A number the database gives out: SQLite counts up by itself only under the name INTEGER.
SERIAL = BigInteger().with_variant(Integer(), "sqlite")

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class _Text(TypeDecorator[Any]):
    """Text that is written and read through functions; NULL passes them by."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok: bool | None = True

    def __init__(self, write: Callable[[Any], object], read: Callable[[Any], object]) -> None:
        super().__init__()
        self.write = write
        self.read = read

    def process_bind_param(self, value: object, dialect: Dialect) -> object:  # noqa: ARG002
        """Return what is stored for a value."""
        return None if value is None else self.write(value)

    def process_result_value(self, value: object, dialect: Dialect) -> object:  # noqa: ARG002
        """Return the value for what is stored."""
        return None if value is None else self.read(value)


class _Json(_Text):
    """The same for JSON: not `jsonb`, which reorders keys and refuses some escapes."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = JSON(none_as_null=True)
    cache_ok: bool | None = True


def _clean(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


def _same(value: object) -> object:
    return value


def choice(words: type[StrEnum]) -> TypeEngine[Any]:
    """Return the type of one word of an enumeration; `ValueError` for a word it does not have."""
    return _Text(lambda word: words(word).value, words)


def listed(words: Callable[[Any], object]) -> TypeEngine[Any]:
    """Return the type of a tuple; `words` makes each member of what JSON holds."""
    return _Json(list, lambda members: tuple(map(words, members)))


def _write_artifacts(artifacts: tuple[Artifact, ...]) -> list[dict[str, Any]]:
    return [asdict(artifact) for artifact in artifacts]


# Text from outside: what PostgreSQL or UTF-8 cannot hold becomes U+FFFD.
WORDS = _Text(_clean, _same)
DOCUMENT = _Json(_same, _same)
LIST = listed(_same)
EVENT = _Json(to_record, from_record)
ARTIFACTS = _Json(_write_artifacts, lambda artifacts: tuple(Artifact(**one) for one in artifacts))
