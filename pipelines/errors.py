"""Why a pipeline cannot be read, planned or run, as values a person can act on.

PipelineError
├── ConfigError        one or more mistakes in a `.ci.yaml`; carries every `Mistake`
├── ExpressionError    an expression cannot be parsed or evaluated; points at a column
├── PlanError          a sound file that gives no plan for this event
└── IllegalTransition  the machine was told something that cannot be; carries the story
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Position:
    """A place in a text; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a `.ci.yaml`: what, where, and what would be right."""

    code: str
    message: str
    cure: str
    path: str = ".ci.yaml"
    position: Position | None = None
    text: str = ""

    @property
    def where(self) -> str:
        """`PATH:LINE:COLUMN`, or the path alone where the mistake has no place in it."""
        if self.position is None:
            return self.path
        return f"{self.path}:{self.position.line}:{self.position.column}"

    def __str__(self) -> str:
        cure = f" ({self.cure})" if self.cure else ""
        return f"{self.where}: {self.message}{cure}"


class PipelineError(Exception):
    """The root of what this package raises; `code` is stable and documented."""

    code = "pipeline"


class ConfigError(PipelineError):
    """A `.ci.yaml` that cannot be used; `mistakes` holds all that were found, in file order."""

    code = "config"

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(str(mistake) for mistake in mistakes))


class ExpressionError(PipelineError):
    """An expression that cannot be parsed or evaluated; `column` counts from 1 within its text."""

    code = "expression"

    def __init__(self, message: str, *, column: int, cure: str = "") -> None:
        self.message = message
        self.column = column
        self.cure = cure
        super().__init__(f"column {column}: {message}" + (f" ({cure})" if cure else ""))


class PlanError(PipelineError):
    """A sound `.ci.yaml` that gives no plan for this event."""

    code = "plan"


class IllegalTransition(PipelineError):
    """The machine was told something that cannot be; `story` holds what led to it."""

    code = "illegal-transition"

    def __init__(self, step: str, start: str, finish: str, story: tuple[str, ...]) -> None:
        self.step = step
        self.start = start
        self.finish = finish
        self.story = story
        told = "\n  ".join(story) or "(nothing)"
        super().__init__(f"{step}: {start} -> {finish} is no transition. The story:\n  {told}")
