"""Lists of globs, as they filter branches, tags and paths: some include, some exclude."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.errors import ExpressionError
from pipelines.globs import Glob, parse_glob

MAX_PATTERNS = 100


@dataclass(frozen=True)
class Rule:
    """One pattern of a list: what its glob matches is included, or excluded if it began with `!`."""

    glob: Glob
    excludes: bool


@dataclass(frozen=True)
class Patterns:
    """A list of patterns; the last one that matches a text decides about it.

    What none matches is included only if no pattern of the list includes anything.
    """

    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Patterns:
        """Return the patterns, at most `MAX_PATTERNS`, that texts stand for.

        Raises `ExpressionError` with the column within the pattern that is wrong.
        """
        texts = list(patterns)
        if len(texts) > MAX_PATTERNS:
            message = f"there are {len(texts)} patterns, at most {MAX_PATTERNS} are allowed"
            raise ExpressionError(message, column=1, cure="join some with `{a,b}` or `**`")
        return cls(tuple(map(_rule, texts)))

    def matches(self, text: str) -> bool:
        """Return whether a branch, tag or path is one of those the patterns mean."""
        for rule in reversed(self.rules):
            if rule.glob.matches(text):
                return not rule.excludes
        return all(rule.excludes for rule in self.rules)

    def matches_any_path(self, paths: Iterable[str]) -> bool:
        """Return whether at least one of the paths, relative and with `/`, is meant."""
        return any(map(self.matches, paths))


def _rule(text: str) -> Rule:
    excludes = text.startswith("!")
    bare = text[1:] if excludes else text
    column = 2 if excludes else 1
    message = f"`{text}` matches nothing"
    if bare.startswith(("/", "./")):
        cure = "paths begin at the top of the repository: `src/**`"
        raise ExpressionError(message, column=column, cure=cure)
    if bare.endswith("/"):
        cure = f"`{bare}**` means all that lies in it"
        raise ExpressionError(message, column=len(text), cure=cure)
    return Rule(parse_glob(bare, column), excludes)
