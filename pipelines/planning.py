"""Config and event become a plan: matrices expanded, needs resolved, defaults filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines import schema
from pipelines.errors import PlanError
from pipelines.events import Event
from pipelines.matrix import Combination, label
from pipelines.plan import (
    Plan,
    PlannedService,
    PlannedStep,
    Resources,
    RetryOn,
    RetryPolicy,
    StepKind,
)
from pipelines.schema import Config, Retry, Service, Step
from pipelines.templates import Template, parse_condition, parse_template

SHELLS: Mapping[str, tuple[str, ...]] = {
    "sh": ("sh", "-e", "-c"),
    "bash": ("bash", "-eo", "pipefail", "-c"),
}
"""How a script is handed to the shells that can be named by a word alone."""


@dataclass(frozen=True)
class Limits:
    """What holds where the file says nothing, and what it may not exceed; seconds and counts.

    `services` says whether steps may have any: processes of one machine have none.
    """

    timeout: float = 3600.0
    max_timeout: float = 86400.0
    waiting_timeout: float = 600.0
    grace: float = 10.0
    max_grace: float = 300.0
    steps: int = 10_000
    needs: int = 250_000
    services: bool = True


def plan(
    config: Config,
    event: Event,
    limits: Limits | None = None,
    changed: tuple[str, ...] | None = None,
) -> Plan:
    """Return the plan that a checked config gives for an event that changed these paths.

    Raises PlanError when it has more steps, or needs between them, than are allowed, or services
    where there can be none.
    """
    limits = limits or Limits()
    if not limits.services:
        _refuse_services(config)
    expansions = _expansions(config, limits)
    steps = {
        made.name: made
        for kind, group, step in _written(config)
        for made in _expand(config, kind, group, step, expansions, limits)
    }
    return Plan(
        event=event,
        steps=steps,
        changed=changed,
        fail_fast=config.fail_fast,
        on_conflict=config.workspace.on_conflict,
    )


def _written(config: Config) -> Iterator[tuple[StepKind, str, Step]]:
    for name, step in config.steps.items():
        yield StepKind.NORMAL, name, step
    for name, step in config.finally_.items():
        yield StepKind.FINALLY, name, step


def _expansions(config: Config, limits: Limits) -> dict[str, dict[str, Combination]]:
    """For every name in the file: the names it becomes, each with its combination."""
    found: dict[str, dict[str, Combination]] = {}
    steps = 0
    for _, name, step in _written(config):
        if step.matrix is None:
            found[name] = {name: {}}
        else:
            found[name] = {f"{name} ({label(c)})": c for c in step.matrix.combinations()}
        steps += len(found[name])
        _refuse_beyond("steps", steps, limits.steps)
    size = {name: len(names) for name, names in found.items()}
    needs = sum(
        size[name] * size[need] for _, name, step in _written(config) for need in step.needs
    )
    _refuse_beyond("needs between its steps", needs, limits.needs)
    return found


def _refuse_services(config: Config) -> None:
    for _, name, step in _written(config):
        if step.services:
            message = (
                f"`{name}` has services, which run beside it in a Pod: "
                "services need the Kubernetes executor"
            )
            raise PlanError(message)


def _refuse_beyond(what: str, count: int, limit: int) -> None:
    if count > limit:
        message = f"the plan has {count} {what} or more, at most {limit} are allowed"
        raise PlanError(message)


def _expand(
    config: Config,
    kind: StepKind,
    group: str,
    step: Step,
    expansions: Mapping[str, Mapping[str, Combination]],
    limits: Limits,
) -> Iterator[PlannedStep]:
    written = {**config.env, **config.defaults.env, **step.env}
    env = {name: parse_template(text) for name, text in written.items()}
    services = tuple(_service(name, service) for name, service in step.services.items())
    needs = tuple(name for need in step.needs for name in expansions[need])
    when = parse_condition(step.when) if step.when is not None else None
    for name, combination in expansions[group].items():
        yield PlannedStep(
            name=name,
            group=group,
            kind=kind,
            script=step.run or "",
            shell=_shell(step.shell or config.defaults.shell),
            needs=needs,
            image=_template(step.image or config.defaults.image),
            env=env,
            secrets=tuple(step.secrets),
            services=services,
            resources=_resources(step.resources, config.defaults.resources),
            when=when,
            matrix=combination,
            outputs=tuple(step.outputs),
            artifacts=tuple(parse_template(glob) for glob in step.artifacts),
            timeout=min(
                step.timeout or config.defaults.timeout or limits.timeout, limits.max_timeout
            ),
            waiting_timeout=limits.waiting_timeout,
            grace=min(step.grace or limits.grace, limits.max_grace),
            allow_failure=step.allow_failure,
            retry=_retry(step.retry),
        )


def _shell(words: list[str] | None) -> tuple[str, ...]:
    if not words:
        return SHELLS["sh"]
    if len(words) == 1 and words[0] in SHELLS:
        return SHELLS[words[0]]
    return (*words, "-c") if len(words) == 1 else tuple(words)


def _service(name: str, service: Service) -> PlannedService:
    return PlannedService(
        name=name,
        image=parse_template(service.image),
        command=tuple(service.command),
        env={variable: parse_template(text) for variable, text in service.env.items()},
        ready=service.ready or "",
        resources=_resources(service.resources),
    )


def _resources(*asked: schema.Resources) -> Resources:
    """Return what is asked for, the first word about each counting."""
    said = [(one.cpu, one.memory, one.disk) for one in asked]
    cpu, memory, disk = (
        next((word for word in words if word is not None), None)
        for words in zip(*said, strict=True)
    )
    return Resources(cpu=cpu, memory=memory, disk=disk)


def _template(text: str | None) -> Template | None:
    return parse_template(text) if text else None


def _retry(retry: Retry | None) -> RetryPolicy:
    if retry is None:
        return RetryPolicy()
    return RetryPolicy(
        limit=retry.limit,
        on=frozenset(RetryOn(end) for end in retry.on if not end.isdigit()),
        exit_codes=frozenset(int(end) for end in retry.on if end.isdigit()),
        backoff=retry.backoff,
    )
