"""From the bytes of a `.ci.yaml` to its models, with every mistake told by line and column.

The only module that knows PyYAML, and it uses its event parser alone: values are built here, so
that nothing is built from a file that is too large, too deep or too clever. Plain scalars stay
as written (`3.10` is text, so is `on`); only an empty value, `~` and `null` mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import itemgetter
from typing import Any

import yaml
from pydantic import ValidationError

from pipelines import checks, complaints, schema
from pipelines.documents import KEY, Limits, Loc, Place, Tree, nearest
from pipelines.errors import ConfigError, Mistake, Position

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufffe\uffff]"
)

_YAML_CURES = {
    "end of stream": "close the quote",
    "escape": "write the character itself, or use single quotes",
    "YAML document": "remove the line that begins with `%`",
    "expected": "check the indentation and the `:` of this line and the one before",
    "mapping values": "check the indentation and the `:` of this line and the one before",
    "cannot start": "put the text in quotes",
}


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
        raise ConfigError((_refused(refusal, path, content, limits),)) from None
    try:
        config = schema.parse({} if tree is None else tree)
    except ValidationError as error:
        found = complaints.of_validation(error)
        raise ConfigError(_mistakes(found, text, path, limits)) from None
    if mistakes := _mistakes(checks.check(config), text, path, limits):
        raise ConfigError(mistakes)
    return config


class _Refusal(Exception):
    """A text that is not read any further."""

    def __init__(self, code: str, message: str, cure: str, position: Position) -> None:
        super().__init__(message)
        self.mistake = Mistake(code=code, message=message, cure=cure, position=position)


def _mistakes(
    found: Iterable[complaints.Complaint], text: str, path: str, limits: Limits
) -> tuple[Mistake, ...]:
    """Return what was found in a text, each with its place, in the order of the file."""
    told = list(islice(found, limits.mistakes + 1))
    if not told:
        return ()
    builder = _Builder(limits, places={})
    builder.build(text)
    places = builder.places or {}
    located = [(_where(complaint, places), complaint) for complaint in told[: limits.mistakes]]
    located.sort(key=itemgetter(0))
    mistakes = [Mistake(c.code, c.message, c.cure, path, where) for where, c in located]
    if len(told) > limits.mistakes:
        message = f"there are more mistakes than these {limits.mistakes}"
        mistakes.append(Mistake("more", message, "correct these first", path, located[-1][0]))
    lines = text.split("\n")
    return tuple(_shown(mistake, lines) for mistake in mistakes)


def _where(complaint: complaints.Complaint, places: dict[Loc, Place]) -> Position:
    place = nearest(places, complaint.loc)
    return place.start if complaint.column is None else place.column(complaint.column)


def _refused(refusal: _Refusal, path: str, content: bytes | str, limits: Limits) -> Mistake:
    start = content[: limits.size]
    text = _unified(start if isinstance(start, str) else start.decode("utf-8", "replace"))
    return _shown(replace(refusal.mistake, path=path), text.split("\n"))


def _shown(mistake: Mistake, lines: list[str]) -> Mistake:
    """Return a mistake fit for a line of a terminal, with its own line of the file."""
    position = _inside(mistake.position or Position(1, 1), lines)
    return replace(
        mistake,
        message=_one_line(mistake.message),
        cure=_one_line(mistake.cure),
        position=position,
        text=_INVISIBLE.sub("\ufffd", lines[position.line - 1][:200]),
    )


def _one_line(text: str) -> str:
    plain = _INVISIBLE.sub("\ufffd", re.sub(r"[\t\n\r]+", " ", text[:400]))
    return plain + "…" if len(text) > 400 else plain


def _inside(position: Position, lines: list[str]) -> Position:
    """Return a position, or the end of the file where the parser means a line that is not there."""
    if position.line > len(lines):
        return Position(len(lines), len(lines[-1]) + 1)
    return position


def _unified(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _decode(content: bytes | str, limits: Limits) -> str:
    size = len(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    if size > limits.size:
        message = f"the file has {size} bytes, more than the {limits.size} allowed"
        raise _Refusal("too-large", message, "make it smaller", Position(1, 1))
    if isinstance(content, bytes):
        try:
            content = content.decode("utf-8")
        except UnicodeDecodeError as error:
            position = _position(_unified(error.object[: error.start].decode("utf-8")))
            message = f"the byte 0x{error.object[error.start]:02x} is not UTF-8"
            raise _Refusal("encoding", message, "save the file as UTF-8", position) from None
    text = _unified(content)
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
        lines = text.split("\n")
        position = _inside(_marked(error.problem_mark), lines)
        cure = _yaml_cure(str(error.problem), lines[position.line - 1])
        raise _Refusal("yaml", f"this is not YAML: {error.problem}", cure, position) from None


def _yaml_cure(problem: str, line: str) -> str:
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not tabs"
    return next((cure for part, cure in _YAML_CURES.items() if part in problem), "use quotes")


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
        self._check_tag(event)
        if self._wants_key():
            self._key(event)
            return
        value = None if not event.style and event.value in _NULLS else event.value
        self._count(1, event)
        self._note(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._add(value, 1)

    def _open(self, event: Any, value: dict[str, Tree] | list[Tree]) -> None:
        self._check_tag(event)
        if self._wants_key():
            message = "a list or mapping stands where a key is wanted"
            raise _Refusal("key", message, "use a plain word as key", _marked(event.start_mark))
        if len(self._stack) >= self._limits.depth:
            message = f"nested deeper than {self._limits.depth} levels"
            raise _Refusal("depth", message, "nest less deeply", _marked(event.start_mark))
        self._count(1, event)
        self._note(event)
        # Until it is closed it has no value, and what had its name before must not stand for it.
        self._anchors.pop(event.anchor, None)
        self._stack.append(_Open(value, self._loc(), event.anchor))

    def _close(self) -> None:
        done = self._stack.pop()
        if done.anchor:
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
        if event.anchor not in self._anchors:
            message = f"the alias `*{event.anchor}` has nothing before it to stand for"
            raise _Refusal("aliases", message, f"define `&{event.anchor}` before it", position)
        value, size = self._anchors[event.anchor]
        self._count(size, event)
        self._note(event)
        self._add(value, size)

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
            message = f"`{name}` means nothing, so it is no key" if name else "there is no key"
            raise _Refusal("key", message, "write a name, in quotes if need be", position)
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
        else:
            top.value[str(top.key)] = value
            top.key = None

    def _count(self, size: int, event: Any) -> None:
        self._nodes += size
        if self._nodes > self._limits.nodes:
            message = f"more than {self._limits.nodes} values, aliases counted in full"
            raise _Refusal("nodes", message, "make it smaller", _marked(event.start_mark))

    def _check_tag(self, event: Any) -> None:
        if event.tag not in (None, "!"):
            message = f"the tag `{event.tag}` is not read"
            cure = "remove it; put text in quotes"
            raise _Refusal("tag", message, cure, _marked(event.start_mark))
