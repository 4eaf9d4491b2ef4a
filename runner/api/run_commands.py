"""What can be asked of a run: another round, or its end. The engine carries it out."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Connection

from pipelines.states import RunStatus, State
from runner.api.access import Visitor, run_of
from runner.api.errors import Conflict, Gone
from runner.api.run_view import RunView, load
from runner.database import audit, commands, repositories
from runner.database.words import CommandKind
from runner.retention import expiry
from runner.retention.policy import policy_of
from runner.services import Services
from runner.tokens import Scope

# What `pipelines.progress` calls spoiled or forgiven: such a step is run again by `failed`.
_UNSUCCESSFUL = frozenset({State.FAILURE, State.ERROR, State.CANCELLED, State.BLOCKED})


class Mode(StrEnum):
    """Which steps are run again."""

    ALL = "all"
    FAILED = "failed"


def rerun(services: Services, visitor: Visitor, run_id: str, mode: Mode, key: str = "") -> RunView:
    """Ask for another round of an ended run and return the run as it is.

    The same `key` asks once, however often it is sent. Raises `Conflict` for what cannot be, `Gone`
    for what cannot be any more.
    """

    def act(tx: Connection) -> RunView:
        view = _locked(tx, visitor, run_id)
        if key and _asked_before(tx, run_id, key):
            return view
        _check_rerun(view, mode)
        if gone := expired(tx, services, view):
            raise gone
        payload = {"mode": str(mode), **({"key": key} if key else {})}
        return _ask(tx, services, visitor, view, CommandKind.RERUN, payload)

    return _woken(services, services.database.transact(act))


def cancel(services: Services, visitor: Visitor, run_id: str) -> RunView:
    """Ask for a run's end and return the run as it is; to ask twice is to ask once.

    Raises `Conflict` if it has ended.
    """

    def act(tx: Connection) -> RunView:
        view = _locked(tx, visitor, run_id)
        if view.run.status.terminal:
            message = f"the run has ended ({view.run.status})"
            raise Conflict(message, cure="there is nothing to cancel")
        if any(command.kind is CommandKind.CANCEL for command in view.waiting):
            return view
        return _ask(tx, services, visitor, view, CommandKind.CANCEL, {})

    return _woken(services, services.database.transact(act))


def can_rerun(view: RunView, mode: Mode) -> bool:
    """Return whether a round of this kind can be asked for now."""
    try:
        _check_rerun(view, mode)
    except Conflict:
        return False
    return True


def expired(tx: Connection, services: Services, view: RunView) -> Gone | None:
    """Return why the run cannot be run again any more: its time is over; None while it can."""
    policy = policy_of(services.settings.retention, view.repository.name)
    if not expiry.has_expired(tx, view.repository, policy, view.run, services.clock.now()):
        return None
    message = "the run has ended too long ago: what its steps began with is removed"
    return Gone(message, cure="push the commit again to have a new run of it")


def _check_rerun(view: RunView, mode: Mode) -> None:
    if not view.run.status.terminal:
        message = f"the run has not ended ({view.run.status})"
        raise Conflict(message, cure="wait for its end, or cancel it first")
    if view.waiting:
        message = "another round was asked for already"
        raise Conflict(message, cure="wait until it has begun")
    if mode is Mode.FAILED and not _has_failed(view):
        raise Conflict("no step failed", cure="run all steps again with the mode `all`")


def _has_failed(view: RunView) -> bool:
    if not view.steps:
        return view.run.status is not RunStatus.SUCCESS
    return any(step.state in _UNSUCCESSFUL for step in view.steps)


def _locked(tx: Connection, visitor: Visitor, run_id: str) -> RunView:
    """Return the run, and keep others from asking anything of it until the transaction ends."""
    run, repository = run_of(tx, visitor, run_id, Scope.WRITE)
    repositories.lock(tx, repository.id)
    return load(tx, run, repository)


def _asked_before(tx: Connection, run_id: str, key: str) -> bool:
    return any(command.payload.get("key") == key for command in commands.of(tx, run_id))


def _ask(
    tx: Connection,
    services: Services,
    visitor: Visitor,
    view: RunView,
    kind: CommandKind,
    payload: dict[str, str],
) -> RunView:
    now = services.clock.now()
    commands.add(tx, view.run.id, kind, payload, visitor.name, now)
    about = {"run": view.run.id, **payload}
    audit.add(tx, at=now, who=visitor.account, what=f"run.{kind}", about=about)
    return load(tx, view.run, view.repository)


def _woken(services: Services, view: RunView) -> RunView:
    services.wake()
    services.feed.publish(view.run.id)
    return view
