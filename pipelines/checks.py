"""What a well-formed `.ci.yaml` may still get wrong: needs, cycles, expressions, patterns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipelines.complaints import Complaint, did_you_mean
from pipelines.documents import KEY, Loc
from pipelines.errors import ExpressionError
from pipelines.expressions import Expression, Names
from pipelines.expressions import check as check_expression
from pipelines.graph import Graph, find_cycle, unknown_needs
from pipelines.matrix import MatrixTooLarge
from pipelines.patterns import Patterns
from pipelines.schema import Config, Step
from pipelines.templates import Template, parse_condition, parse_template


def check(config: Config) -> tuple[Complaint, ...]:
    """Return all that is wrong with a config, whatever the event."""
    found = [*_steps(config), *_needs(config), *_patterns(config), *_common_variables(config)]
    if not any(complaint.code in ("unknown-need", "cycle") for complaint in found):
        found.extend(_expressions(config))
    return tuple(found)


def _steps(config: Config) -> Iterator[Complaint]:
    for loc, step in _located(config):
        if step.run is None:
            yield Complaint((*loc, KEY), "missing", "this step has no `run`", "add `run:`")
        elif "${{" in step.run:
            message = "`${{ }}` is not read in `run`"
            cure = "put the value into `env:` and use it as a variable"
            yield Complaint((*loc, "run"), "template-in-run", message, cure)
        if loc[0] == "finally" and loc[1] in config.steps:
            message = f"`{loc[1]}` stands in `steps` as well"
            yield Complaint((*loc, KEY), "duplicate-step", message, "give it another name")
        yield from _matrix(loc, step)


def _matrix(loc: Loc, step: Step) -> Iterator[Complaint]:
    if step.matrix is None:
        return
    try:
        combinations = step.matrix.combinations()
    except MatrixTooLarge as error:
        cure = "leave some out, or split the step"
        yield Complaint((*loc, "matrix"), "matrix-too-large", str(error), cure)
        return
    if not combinations:
        message = "`exclude` leaves no combination"
        yield Complaint((*loc, "matrix"), "empty-matrix", message, "leave one there")


def _located(config: Config) -> Iterator[tuple[Loc, Step]]:
    for name, step in config.steps.items():
        yield ("steps", name), step
    for name, step in config.finally_.items():
        yield ("finally", name), step


def _needs(config: Config) -> Iterator[Complaint]:
    for section, steps, others in (
        ("steps", config.steps, config.finally_),
        ("finally", config.finally_, config.steps),
    ):
        needs = {name: step.needs for name, step in steps.items()}
        yield from _needs_of(section, needs, others)


def _needs_of(
    section: str, needs: Mapping[str, Sequence[str]], others: Mapping[str, Step]
) -> Iterator[Complaint]:
    for name, index, need in unknown_needs(needs):
        yield _unknown_need((section, name, "needs", index), need, needs, others)
    for name, needed in needs.items():
        for index, need in enumerate(needed):
            if need in needed[:index]:
                message = f"`{need}` stands here twice"
                place = (section, name, "needs", index)
                yield Complaint(place, "duplicate-need", message, "remove one of the two")
    if cycle := find_cycle(needs):
        around = " → ".join(f"`{name}`" for name in (*cycle, cycle[0]))
        message = f"these steps need each other in a circle: {around}"
        yield Complaint((section, cycle[0], "needs"), "cycle", message, "remove one of these needs")


def _unknown_need(
    loc: Loc, need: str, needs: Mapping[str, Sequence[str]], others: Mapping[str, Step]
) -> Complaint:
    if need not in others:
        message = f"there is no step `{need}`"
        return Complaint(loc, "unknown-need", message, did_you_mean(need, needs))
    if loc[0] == "finally":
        message = f"`{need}` has ended anyway when `finally` begins"
        return Complaint(loc, "unknown-need", message, "remove it")
    message = f"`{need}` belongs to `finally`, which runs when all else has ended"
    return Complaint(loc, "unknown-need", message, "move one of the two")


def _patterns(config: Config) -> Iterator[Complaint]:
    on = config.on
    listed: tuple[tuple[Loc, Sequence[str]], ...] = (
        (("on", "push", "branches"), on.push.branches if on.push else ()),
        (("on", "push", "paths"), on.push.paths if on.push else ()),
        (("on", "tag", "tags"), on.tag.tags if on.tag else ()),
        (("on", "pull_request", "branches"), on.pull_request.branches if on.pull_request else ()),
        (("on", "pull_request", "paths"), on.pull_request.paths if on.pull_request else ()),
    )
    for loc, patterns in listed:
        for index, pattern in enumerate(patterns):
            try:
                Patterns.of([pattern])
            except ExpressionError as error:
                yield _of_expression((*loc, index), error, "pattern")


def _common_variables(config: Config) -> Iterator[Complaint]:
    """Check the form of templates that stand outside of steps; each step checks their names."""
    for loc, env in ((("env",), config.env), (("defaults", "env"), config.defaults.env)):
        for name, text in env.items():
            try:
                parse_template(text)
            except ExpressionError as error:
                yield _of_expression((*loc, name), error)


def _expressions(config: Config) -> Iterator[Complaint]:
    needs = {name: step.needs for name, step in (config.steps | config.finally_).items()}
    graph = Graph(needs)
    outputs = {name: step.outputs for name, step in (config.steps | config.finally_).items()}
    for loc, step in _located(config):
        name = str(loc[1])
        before = set(graph.before(name))
        if loc[0] == "finally":
            before |= set(config.steps)
        names = Names(
            env=_constant_variables(config, step),
            matrix=_axes(step),
            steps={need: outputs[need] for need in before},
            others=[other for other in outputs if other not in before],
            in_finally=loc[0] == "finally",
        )
        yield from _expressions_of(config, loc, step, names)


def _expressions_of(config: Config, loc: Loc, step: Step, names: Names) -> Iterator[Complaint]:
    if step.when is not None:
        yield from _condition((*loc, "when"), step.when, names)
    for inherited, env in (
        (("env",), config.env),
        (("defaults", "env"), config.defaults.env),
        ((*loc, "env"), step.env),
    ):
        for name, text in env.items():
            if inherited[0] in ("steps", "finally") or name not in step.env:
                yield from _template((*inherited, name), text, names)
    image = step.image or config.defaults.image
    if image is not None:
        where = (*loc, "image") if step.image else ("defaults", "image")
        yield from _template(where, image, names)
    for index, glob in enumerate(step.artifacts):
        yield from _template((*loc, "artifacts", index), glob, names)


def _constant_variables(config: Config, step: Step) -> frozenset[str]:
    written = {**config.env, **config.defaults.env, **step.env}
    return frozenset(name for name, text in written.items() if "${{" not in text)


def _axes(step: Step) -> frozenset[str]:
    if step.matrix is None:
        return frozenset()
    return frozenset(axis for c in step.matrix.combinations() for axis in c)


def _condition(loc: Loc, text: str, names: Names) -> Iterator[Complaint]:
    try:
        expression = parse_condition(text)
    except ExpressionError as error:
        yield _of_expression(loc, error)
        return
    yield from _checked(loc, expression, names, condition=True)


def _template(loc: Loc, text: str, names: Names) -> Iterator[Complaint]:
    try:
        template: Template = parse_template(text)
    except ExpressionError as error:
        yield _of_expression(loc, error)
        return
    for expression in template.expressions:
        yield from _checked(loc, expression, names, condition=False)


def _checked(
    loc: Loc, expression: Expression, names: Names, *, condition: bool
) -> Iterator[Complaint]:
    for error in check_expression(expression, names, condition=condition):
        yield _of_expression(loc, error)


def _of_expression(loc: Loc, error: ExpressionError, code: str = "expression") -> Complaint:
    return Complaint(loc, code, error.message, error.cure, error.column)
