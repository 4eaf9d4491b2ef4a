"""What a well-formed `.ci.yaml` may still get wrong: needs, cycles, expressions, patterns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.complaints import Complaint, instead_of
from pipelines.documents import KEY, Loc
from pipelines.errors import ExpressionError
from pipelines.expressions import Expression, Names, ReferenceKind
from pipelines.expressions import check as check_expression
from pipelines.graph import Graph, find_cycle, unknown_needs
from pipelines.matrix import Matrix, MatrixTooLarge, label
from pipelines.patterns import Patterns
from pipelines.schema import Config, Service, Step
from pipelines.templates import parse_condition, parse_template
from pipelines.variables import variable_name

MOST_STEPS = 10_000
MOST_VARIABLES = 1_000_000
"""Common variables times steps: each step gets every one of them."""
MOST_SECRETS = 64
MOST_SERVICES = 10


def check(config: Config) -> Iterator[Complaint]:
    """Yield all that is wrong with a config, whatever the event; nothing twice."""
    seen: set[Complaint] = set()
    for complaint in _complaints(config):
        if complaint not in seen:
            seen.add(complaint)
            yield complaint


def _complaints(config: Config) -> Iterator[Complaint]:
    if oversized := tuple(_size(config)):
        yield from oversized
        return
    yield from _steps(config)
    sound = True
    for complaint in _needs(config):
        sound = sound and complaint.code not in ("unknown-need", "cycle")
        yield complaint
    yield from _patterns(config)
    yield from _common_variables(config)
    if sound:
        yield from _expressions(config)


def _size(config: Config) -> Iterator[Complaint]:
    steps = len(config.steps) + len(config.finally_)
    if steps > MOST_STEPS:
        message = f"the file has {steps} steps, more than the {MOST_STEPS} allowed"
        yield Complaint(("steps",), "too-large", message, "leave some out, or use a matrix")
    common = len(config.env) + len(config.defaults.env)
    if steps * common > MOST_VARIABLES:
        message = f"{common} variables for each of {steps} steps are too many"
        yield Complaint(("env",), "too-large", message, "give them to the steps that need them")


def _steps(config: Config) -> Iterator[Complaint]:
    for loc, step in _located(config):
        if step.run is None:
            yield Complaint((*loc, KEY), "missing", "this step has no `run`", "add `run:`")
        elif "${{" in step.run:
            message = "`${{ }}` is not read in `run`"
            cure = "put the value into `env:` and use it as a variable"
            column = step.run.index("${{") + 1
            yield Complaint((*loc, "run"), "template-in-run", message, cure, column)
        if loc[0] == "finally" and loc[1] in config.steps:
            message = f"`{loc[1]}` stands in `steps` as well"
            yield Complaint((*loc, KEY), "duplicate-step", message, "give it another name")
        if step.matrix is not None:
            yield from _matrix((*loc, "matrix"), step.matrix)
        if step.secrets:
            yield from _secrets((*loc, "secrets"), step, config)
        if step.services:
            yield from _services((*loc, "services"), step.services)


def _secrets(loc: Loc, step: Step, config: Config) -> Iterator[Complaint]:
    if len(step.secrets) > MOST_SECRETS:
        message = f"{len(step.secrets)} secrets are more than the {MOST_SECRETS} allowed"
        yield Complaint(loc, "too-many", message, "put what belongs together into one of them")
        return
    variables = {**config.env, **config.defaults.env, **step.env}
    for index, name in enumerate(step.secrets):
        if name in step.secrets[:index]:
            message = f"`{name}` stands here twice"
            yield Complaint((*loc, index), "duplicate-secret", message, "remove one of the two")
        elif name in variables:
            message = f"`{name}` is a variable in `env` as well"
            yield Complaint((*loc, index), "secret-clash", message, "rename one of the two")


def _services(loc: Loc, services: Mapping[str, Service]) -> Iterator[Complaint]:
    if len(services) > MOST_SERVICES:
        message = f"{len(services)} services are more than the {MOST_SERVICES} allowed"
        yield Complaint(loc, "too-many", message, "leave some out, or split the step")
    for name, service in services.items():
        if not service.image:
            cure = "name the image it runs in"
            yield Complaint((*loc, name, "image"), "empty", "`image` is empty", cure)
        yield from _plain((*loc, name, "ready"), "ready", service.ready or "")
        for index, word in enumerate(service.command):
            yield from _plain((*loc, name, "command", index), "command", word)


def _plain(loc: Loc, key: str, text: str) -> Iterator[Complaint]:
    if "${{" in text:
        message = f"`${{{{ }}}}` is not read in `{key}`"
        cure = "put the value into the service's `env:` and use it as a variable"
        yield Complaint(loc, "template-in-run", message, cure, text.index("${{") + 1)


def _matrix(loc: Loc, matrix: Matrix) -> Iterator[Complaint]:
    for index, row in enumerate(matrix.exclude):
        for axis in row:
            if axis not in matrix.axes:
                place = (*loc, "exclude", index, axis, KEY)
                message = f"there is no axis `{axis}` to exclude from"
                yield Complaint(place, "unknown-axis", message, instead_of(axis, matrix.axes))
    first: dict[str, str] = {}
    for axis in _axes(matrix):
        other = first.setdefault(variable_name(axis), axis)
        if other != axis:
            message = f"`{other}` and `{axis}` are both `CI_MATRIX_{variable_name(axis)}`"
            yield Complaint(loc, "axis-clash", message, "rename one of them")
    yield from _combinations(loc, matrix)


def _combinations(loc: Loc, matrix: Matrix) -> Iterator[Complaint]:
    try:
        labels = Counter(label(combination) for combination in matrix.combinations())
    except MatrixTooLarge as error:
        yield Complaint(loc, "matrix-too-large", str(error), "leave some out, or split the step")
        return
    if not labels:
        message = "`exclude` leaves no combination"
        yield Complaint(loc, "empty-matrix", message, "leave one there")
    for written, count in labels.items():
        if count > 1:
            message = f"{count} combinations are written alike: `{written}`"
            yield Complaint(loc, "matrix-clash", message, "let their values differ")


def _axes(matrix: Matrix) -> tuple[str, ...]:
    return tuple(dict.fromkeys(axis for row in (matrix.axes, *matrix.include) for axis in row))


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
        seen: set[str] = set()
        for index, need in enumerate(needed):
            if need in seen:
                message = f"`{need}` stands here twice"
                place = (section, name, "needs", index)
                yield Complaint(place, "duplicate-need", message, "remove one of the two")
            seen.add(need)
    if cycle := find_cycle(needs):
        around = " → ".join(f"`{name}`" for name in (*cycle, cycle[0]))
        message = f"these steps need each other in a circle: {around}"
        yield Complaint((section, cycle[0], "needs"), "cycle", message, "remove one of these needs")


def _unknown_need(
    loc: Loc, need: str, needs: Mapping[str, Sequence[str]], others: Mapping[str, Step]
) -> Complaint:
    if need not in others:
        message = f"there is no step `{need}`"
        return Complaint(loc, "unknown-need", message, instead_of(need, needs))
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
        found = [*_patterns_of(loc, patterns)]
        yield from found
        if not found:
            yield from _patterns_together(loc, patterns)


def _patterns_of(loc: Loc, patterns: Sequence[str]) -> Iterator[Complaint]:
    for index, pattern in enumerate(patterns):
        try:
            Patterns.of([pattern])
        except ExpressionError as error:
            yield _of_expression((*loc, index), error, "pattern")


def _patterns_together(loc: Loc, patterns: Sequence[str]) -> Iterator[Complaint]:
    try:
        Patterns.of(patterns)
    except ExpressionError as error:
        yield Complaint(loc, "pattern", error.message, error.cure)


def _common_variables(config: Config) -> Iterator[Complaint]:
    """Check the form of templates that stand outside of steps; each step checks their names."""
    for loc, env in ((("env",), config.env), (("defaults", "env"), config.defaults.env)):
        for name, text in env.items():
            for item in _template((*loc, name), text):
                if isinstance(item, Complaint):
                    yield item


@dataclass(frozen=True)
class _Written:
    """An expression of a step, where its text stands, and whether it is a `when:`."""

    loc: Loc
    expression: Expression
    condition: bool = False


def _expressions(config: Config) -> Iterator[Complaint]:
    every = config.steps | config.finally_
    graph = Graph({name: step.needs for name, step in every.items()})
    common = _inherited(config)
    for loc, step in _located(config):
        found = [written for written, name in common if name not in step.env]
        for item in _own(config, loc, step):
            if isinstance(item, Complaint):
                yield item
            else:
                found.append(item)
        names = _names(config, graph, loc, step, found)
        for written in found:
            for error in check_expression(written.expression, names, condition=written.condition):
                yield _of_expression(written.loc, error)


def _inherited(config: Config) -> list[tuple[_Written, str]]:
    """The expressions in variables of every step, each with the name of its variable."""
    found: list[tuple[_Written, str]] = []
    for loc, env in ((("env",), config.env), (("defaults", "env"), config.defaults.env)):
        for name, text in env.items():
            overridden = loc == ("env",) and name in config.defaults.env
            items = () if overridden else _template((*loc, name), text)
            found += [(item, name) for item in items if isinstance(item, _Written)]
    return found


def _own(config: Config, loc: Loc, step: Step) -> Iterator[Complaint | _Written]:
    if step.when is not None:
        yield _condition((*loc, "when"), step.when)
    for name, text in step.env.items():
        yield from _template((*loc, "env", name), text)
    if step.image:
        yield from _template((*loc, "image"), step.image)
    elif config.defaults.image:
        yield from _template(("defaults", "image"), config.defaults.image)
    for index, glob in enumerate(step.artifacts):
        yield from _template((*loc, "artifacts", index), glob)
    for service, held in step.services.items():
        place = (*loc, "services", service)
        yield from _template((*place, "image"), held.image)
        for name, text in held.env.items():
            yield from _template((*place, "env", name), text)


def _names(config: Config, graph: Graph, loc: Loc, step: Step, found: Sequence[_Written]) -> Names:
    """Return what the expressions of a step may name; of the steps only those they do name."""
    here, in_finally = str(loc[1]), loc[0] == "finally"
    every = config.steps | config.finally_
    looked_at = {
        reference.step
        for written in found
        for reference in written.expression.references()
        if reference.kind in (ReferenceKind.STATUS, ReferenceKind.OUTPUT)
    }
    before = {
        name: every[name].outputs
        for name in sorted(looked_at & every.keys())
        if graph.comes_before(name, here) or (in_finally and name in config.steps)
    }
    return Names(
        env=_constant_variables(config, step),
        matrix=_axes(step.matrix) if step.matrix else (),
        steps=before,
        others=every.keys() - before.keys() if looked_at else (),
        in_finally=in_finally,
    )


def _constant_variables(config: Config, step: Step) -> frozenset[str]:
    written = {**config.env, **config.defaults.env, **step.env}
    return frozenset(name for name, text in written.items() if _constant(text))


def _constant(text: str) -> bool:
    try:
        return "${{" not in text or parse_template(text).constant
    except ExpressionError:
        return False


def _condition(loc: Loc, text: str) -> Complaint | _Written:
    try:
        return _Written(loc, parse_condition(text), condition=True)
    except ExpressionError as error:
        return _of_expression(loc, error)


def _template(loc: Loc, text: str) -> Iterator[Complaint | _Written]:
    try:
        template = parse_template(text)
    except ExpressionError as error:
        yield _of_expression(loc, error)
        return
    for expression in template.expressions:
        yield _Written(loc, expression)


def _of_expression(loc: Loc, error: ExpressionError, code: str = "expression") -> Complaint:
    return Complaint(loc, code, error.message, error.cure, error.column)
