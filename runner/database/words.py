"""The closed lists of words that the database keeps beside those of `pipelines.states`."""

from __future__ import annotations

from enum import StrEnum


class Visibility(StrEnum):
    """Who may see a repository's runs."""

    PRIVATE = "private"
    PUBLIC = "public"


class DeliveryOutcome(StrEnum):
    """What became of a delivery."""

    ACCEPTED = "accepted"
    IGNORED = "ignored"
    REFUSED = "refused"


class StepKind(StrEnum):
    """Whether a step belongs to the graph or comes after it."""

    NORMAL = "normal"
    FINALLY = "finally"


class CommandKind(StrEnum):
    """What somebody can ask of a run."""

    CANCEL = "cancel"
    RERUN = "rerun"
