"""From the bytes of a `.ci.yaml` to its models, with every mistake told by line and column.

The only module that knows PyYAML, and it uses its event parser alone: values are built here, so
that nothing is built from a file that is too large, too deep or too clever. Plain scalars stay
as written (`3.10` is text, so is `on`); only an empty value, `~` and `null` mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import ValidationError

from pipelines import checks, complaints, schema
from pipelines.documents import KEY, Limits, Loc, Place, Tree, nearest
from pipelines.errors import ConfigError, Mistake, Position

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufffe\uffff]"
)


def load(
    content: bytes | str, *, path: str = ".ci.yaml", limits: Limits | None = None
) -> schema.Config:
    """Return the config that a file holds.

    Raises ConfigError with every mistake that was found, in the order of the file.
    """
    limits = limits or Limits()
    try:
        text = _decode(content, limits)
        tree = _Builder(limits).build(text)
    except _Refusal as refusal:
        raise ConfigError((_at(refusal, path, content),)) from None
    try:
        config = schema.parse({} if tree is None else tree)
    except ValidationError as error:
        raise _config_error(complaints.of_validation(error), text, path, limits) from None
    if found := checks.check(config):
        raise _config_error(found, text, path, limits)
    return config


class _Refusal(Exception):
    """A text that is not read any further."""

    def __init__(self, code: str, message: str, cure: str, position: Position) -> None:
        super().__init__(message)
        self.code, self.message, self.cure, self.position = code, message, cure, position


def _at(refusal: _Refusal, path: str, content: bytes | str) -> Mistake:
    if isinstance(content, bytes):
        content = content.decode("utf-8", "replace")
    return Mistake(
        code=refusal.code,
        message=refusal.message,
        cure=refusal.cure,
        path=path,
        position=refusal.position,
        text=_line(content, refusal.position),
    )


def _config_error(
    found: tuple[complaints.Complaint, ...], text: str, path: str, limits: Limits
) -> ConfigError:
    builder = _Builder(limits, places={})
    builder.build(text)
    places = builder.places or {}
    mistakes = [_mistake(complaint, places, text, path) for complaint in found]
    return ConfigError(tuple(sorted(mistakes, key=lambda mistake: mistake.position or (0, 0))))


def _mistake(
    complaint: complaints.Complaint, places: dict[Loc, Place], text: str, path: str
) -> Mistake:
    place = nearest(places, complaint.loc)
    position = place.start if complaint.column is None else place.column(complaint.column)
    return Mistake(
        code=complaint.code,
        message=complaint.message,
        cure=complaint.cure,
        path=path,
        position=position,
        text=_line(text, position),
    )


def _line(text: str, position: Position) -> str:
    lines = text.split("\n", position.line)
    line = lines[position.line - 1] if position.line <= len(lines) else ""
    return _INVISIBLE.sub("\ufffd", line.rstrip("\r"))[:200]


def _decode(content: bytes | str, limits: Limits) -> str:
    if len(content) > limits.size:
        message = f"the file has {len(content)} bytes, more than the {limits.size} allowed"
        raise _Refusal("too-large", message, "make it smaller", Position(1, 1))
    if isinstance(content, bytes):
        try:
            content = content.decode("utf-8")
        except UnicodeDecodeError as error:
            position = _position(error.object[: error.start].decode("utf-8"))
            message = f"the byte 0x{error.object[error.start]:02x} is not UTF-8"
            raise _Refusal("encoding", message, "save the file as UTF-8", position) from None
    text = content.removeprefix("\ufeff")
    if found := _INVISIBLE.search(text):
        message = f"an invisible character, U+{ord(found[0]):04X}"
        position = _position(text[: found.start()])
        raise _Refusal("invisible", message, "remove it, or write it as an escape", position)
    return text


def _position(before: str) -> Position:
    line = before.count("\n") + 1
    return Position(line, len(before) - (before.rfind("\n") + 1) + 1)


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = _marked(mark) if mark else Position(1, 1)
        problem = (error.problem or error.context or "it cannot be read").strip()
        raise _Refusal(
            "yaml",
            f"this is not YAML: {problem}",
            _yaml_cure(problem, _line(text, position)),
            position,
        ) from None


def _yaml_cure(problem: str, line: str) -> str:
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not tabs"
    if "expected" in problem or "mapping values" in problem:
        return "check the indentation and the `:` of this line and the one before"
    return "put the text in quotes"


def _marked(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1)


@dataclass
class _Open:
    """A mapping or list that is being built; `size` counts its nodes, aliases expanded."""

    value: dict[str, Tree] | list[Tree]
    loc: Loc
    anchor: str | None
    key: str | None = None
    size: int = 1
    keys: dict[str, Position] = field(default_factory=dict)


class _Builder:
    """Builds values from parser events, counting as it goes; notes places when asked to."""

    def __init__(self, limits: Limits, places: dict[Loc, Place] | None = None) -> None:
        self._limits = limits
        self.places = places
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Tree, int]] = {}
        self._opened: set[str] = set()
        self._nodes = 0
        self._aliases = 0
        self._documents = 0
        self._root: Tree = None

    def build(self, text: str) -> Tree:
        """Return the tree of values of the one document in a text."""
        for event in _events(text):
            self._handle(event)
        return self._root

    def _handle(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.SequenceStartEvent():
                self._open(event, [])
            case yaml.MappingStartEvent():
                self._open(event, {})
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close()
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._document(event)
            case _:
                pass

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            message = "a second document begins here"
            raise _Refusal("documents", message, "keep one document", _marked(event.start_mark))

    def _scalar(self, event: Any) -> None:
        self._check_tag(event, plain="!")
        if self._wants_key():
            self._key(event)
            return
        value = None if not event.style and event.value in _NULLS else event.value
        self._count(1, event)
        self._note(event)
        if event.anchor:
            self._anchor(event, value, 1)
        self._add(value, 1)

    def _open(self, event: Any, value: dict[str, Tree] | list[Tree]) -> None:
        self._check_tag(event, plain="!")
        if self._wants_key():
            message = "a list or mapping stands where a key is wanted"
            raise _Refusal("key", message, "use a plain word as key", _marked(event.start_mark))
        if len(self._stack) >= self._limits.depth:
            message = f"nested deeper than {self._limits.depth} levels"
            raise _Refusal("depth", message, "nest less deeply", _marked(event.start_mark))
        self._count(1, event)
        self._note(event)
        if event.anchor:
            self._opened.add(event.anchor)
        self._stack.append(_Open(value, self._loc(), event.anchor))

    def _close(self) -> None:
        done = self._stack.pop()
        if done.anchor:
            self._opened.discard(done.anchor)
            self._anchors[done.anchor] = (done.value, done.size)
        self._add(done.value, done.size)

    def _alias(self, event: Any) -> None:
        position = _marked(event.start_mark)
        if self._wants_key():
            raise _Refusal("key", "an alias stands where a key is wanted", "write it out", position)
        self._aliases += 1
        if self._aliases > self._limits.aliases:
            message = f"more than {self._limits.aliases} aliases"
            raise _Refusal("aliases", message, "write some of them out", position)
        if event.anchor in self._opened or event.anchor not in self._anchors:
            message = f"the alias `*{event.anchor}` has nothing before it to stand for"
            raise _Refusal("aliases", message, f"define `&{event.anchor}` before it", position)
        value, size = self._anchors[event.anchor]
        self._count(size, event)
        self._note(event)
        self._add(value, size)

    def _anchor(self, event: Any, value: Tree, size: int) -> None:
        self._anchors[event.anchor] = (value, size)

    def _wants_key(self) -> bool:
        if not self._stack:
            return False
        top = self._stack[-1]
        return isinstance(top.value, dict) and top.key is None

    def _key(self, event: Any) -> None:
        top = self._stack[-1]
        position = _marked(event.start_mark)
        name = event.value
        if not event.style and name == "<<":
            cure = "write the keys out, or use `defaults`"
            raise _Refusal("merge-key", "merge keys (`<<`) are not read", cure, position)
        if not event.style and name in _NULLS:
            raise _Refusal("key", "there is no key before the `:`", "give it a name", position)
        if name in top.keys:
            first = top.keys[name]
            message = f"`{name}` stands here a second time, first in line {first.line}"
            raise _Refusal("duplicate-key", message, "remove one of the two", position)
        top.keys[name] = position
        top.key = name
        if self.places is not None:
            self.places[(*top.loc, name, KEY)] = Place(position)

    def _loc(self) -> Loc:
        if self.places is None or not self._stack:
            return ()
        top = self._stack[-1]
        last = len(top.value) if isinstance(top.value, list) else top.key
        return top.loc if last is None else (*top.loc, last)

    def _note(self, event: Any) -> None:
        if self.places is None:
            return
        inset = None
        style = getattr(event, "style", "|")
        if style not in ("|", ">") and event.start_mark.line == event.end_mark.line:
            inset = 1 if style else 0
        self.places[self._loc()] = Place(_marked(event.start_mark), inset)

    def _add(self, value: Tree, size: int) -> None:
        if not self._stack:
            self._root = value
            return
        top = self._stack[-1]
        top.size += size
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is not None:
            top.value[top.key] = value
            top.key = None

    def _count(self, size: int, event: Any) -> None:
        self._nodes += size
        if self._nodes > self._limits.nodes:
            message = f"more than {self._limits.nodes} values, aliases counted in full"
            raise _Refusal("nodes", message, "make it smaller", _marked(event.start_mark))

    def _check_tag(self, event: Any, plain: str) -> None:
        if event.tag is not None and event.tag != plain:
            message = f"the tag `{event.tag}` is not read"
            cure = "remove it; put text in quotes"
            raise _Refusal("tag", message, cure, _marked(event.start_mark))
