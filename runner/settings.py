"""The settings of an instance: read, checked, and each told with where its value came from.

A value is taken from the environment first (`HOOKLINE_LISTEN__PORT`), then from the settings file
(`[listen] port`), then from the default. What is unknown or wrong is refused by name.
`docs/settings.md` holds the table that `reference` makes from the model.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipelines.suggestions import did_you_mean
from runner.settings_model import Limits, Listen, Local, Quantity, Settings, default_data

__all__ = [
    "OTHER_VARIABLES",
    "Limits",
    "Listen",
    "Local",
    "Problem",
    "SettingRow",
    "Settings",
    "SettingsError",
    "explain",
    "fields_of",
    "load",
    "reference",
    "variable_of",
    "without_password",
]

PREFIX = "HOOKLINE_"
FILE_NAME = "hookline.toml"
# Variables that begin like a setting and are none: where the file is, what the command line's
# client needs, and (by their first letters) what the tests are told.
OTHER_VARIABLES = frozenset({"HOOKLINE_CONFIG", "HOOKLINE_TOKEN"})
_TEST_PREFIX = "HOOKLINE_TEST_"
_HIDDEN = "(hidden)"
_UNSET = "(not set)"


@dataclass(frozen=True)
class Problem:
    """One setting that cannot be used: its name, where it comes from, what is wrong and right."""

    name: str
    source: str
    message: str
    cure: str = ""

    def __str__(self) -> str:
        source = f" from {self.source}" if self.source else ""
        cure = f"; {self.cure}" if self.cure else ""
        return f"{self.name}{source}: {self.message}{cure}"


class SettingsError(Exception):
    """The settings cannot be used; `problems` holds all that were found. The only one here."""

    code = "settings"

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


@dataclass(frozen=True)
class SettingRow:
    """A setting as it stands: `source` is `default`, `environment NAME` or `file PATH key NAME`."""

    name: str
    value: str
    source: str
    description: str
    secret: bool


def variable_of(name: str) -> str:
    """Return the environment variable of a setting: `listen.port` is HOOKLINE_LISTEN__PORT."""
    return PREFIX + name.replace(".", "__").upper()


def fields_of(
    model: type[BaseModel] = Settings, prefix: str = ""
) -> Iterator[tuple[str, FieldInfo]]:
    """Yield every setting's dotted name and field, in the order of the model."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from fields_of(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def load(
    config: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> Settings:
    """Return the settings of the file `config`, or of the first one found, and of `environ`.

    Without `config` the file is the one HOOKLINE_CONFIG names, else `hookline.toml` in `folder`
    (the working folder), else in `$XDG_CONFIG_HOME/hookline`. Empty variables count as not set.
    Raises `SettingsError` with every problem found.
    """
    path = _config_file(config, environ, folder or Path.cwd())
    values = _read(path) if path else {}
    sources = {name: f"file {path} key {name}" for name in _flat(values)}
    problems = list(_unknown_variables(environ))
    for name, _ in fields_of():
        if environ.get(variable_of(name)):
            sources[name] = f"environment {variable_of(name)}"
            _put(values, name, environ[variable_of(name)])
    values.setdefault("data", default_data(environ))
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += _problems(error, sources)
    else:
        if not problems:
            settings._sources.update(sources)
            return settings
    raise SettingsError(*problems)


def explain(settings: Settings) -> list[SettingRow]:
    """Return every setting with its value and where it comes from; secrets are hidden."""
    return [
        SettingRow(
            name=name,
            value=_shown(name, field, _value(settings, name)),
            source=settings._sources.get(name, "default"),
            description=field.description or "",
            secret=_is_secret(field),
        )
        for name, field in fields_of()
    ]


def reference() -> str:
    """Return the table of all settings in Markdown, as `docs/settings.md` holds it."""
    lines = ["| setting | environment variable | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in fields_of():
        default = _default(name, field)
        lines.append(f"| `{name}` | `{variable_of(name)}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _config_file(config: Path | None, environ: Mapping[str, str], folder: Path) -> Path | None:
    """Return the settings file to read; one that was asked for must be there."""
    if config is not None:
        return _asked_for(config, "option --config")
    if environ.get("HOOKLINE_CONFIG"):
        return _asked_for(Path(environ["HOOKLINE_CONFIG"]), "environment HOOKLINE_CONFIG")
    home = environ.get("XDG_CONFIG_HOME") or (
        f"{environ['HOME']}/.config" if environ.get("HOME") else ""
    )
    candidates = [folder / FILE_NAME, *([Path(home, "hookline", FILE_NAME)] if home else [])]
    return next((path for path in candidates if path.is_file()), None)


def _asked_for(path: Path, source: str) -> Path:
    if not path.is_file():
        cure = "name a TOML file that exists, or leave it out"
        raise SettingsError(Problem("config", source, f"there is no file {path}", cure))
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem("config", f"file {path}", f"cannot be read: {error}")
    except tomllib.TOMLDecodeError as error:
        problem = Problem("config", f"file {path}", f"is not TOML: {error}", "see https://toml.io")
    raise SettingsError(problem)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of a nested mapping's values."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def _put(values: dict[str, Any], name: str, text: str) -> None:
    """Set a dotted name in nested values, unless what should be a table is none."""
    *groups, last = name.split(".")
    for group in groups:
        values = values.setdefault(group, {})
        if not isinstance(values, dict):
            return
    values[last] = text


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[Problem]:
    known = {variable_of(name) for name, _ in fields_of()} | OTHER_VARIABLES
    for variable in sorted(environ):
        ours = variable.startswith(PREFIX) and not variable.startswith(_TEST_PREFIX)
        if ours and variable not in known:
            source = f"environment {variable}"
            cure = did_you_mean(variable, known) or "unset it"
            yield Problem(variable, source, "there is no such setting", cure)


def _problems(error: ValidationError, sources: Mapping[str, str]) -> Iterator[Problem]:
    """Yield pydantic's findings with our names; never the value that was given."""
    known = dict(fields_of())
    for detail in error.errors(include_url=False, include_context=True, include_input=False):
        if detail["type"] == "default_factory_not_called":
            continue
        name = ".".join(str(part) for part in detail["loc"])
        while name not in known and name.rpartition(".")[0] in known:
            name = name.rpartition(".")[0]
        if detail["type"] == "extra_forbidden":
            cure = did_you_mean(name, known) or "take it out"
            yield Problem(name, sources.get(name, ""), "there is no such setting", cure)
        else:
            cure = f"for example {_example(name)}" if _example(name) else ""
            yield Problem(name, sources.get(name, ""), _message(detail), cure)


def _message(detail: Mapping[str, Any]) -> str:
    """Return what is wrong, without the words pydantic puts before a validator's own."""
    reason = detail.get("ctx", {}).get("error")
    return str(reason) if reason else str(detail["msg"]).replace("Input should", "it should")


def _example(name: str) -> str:
    field = dict(fields_of()).get(name)
    if field is None or field.default is None or field.default is PydanticUndefined:
        return ""
    return _shown(name, field, field.default)


def _value(settings: Settings, name: str) -> object:
    value: object = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation)


def _shown(name: str, field: FieldInfo, value: object) -> str:
    """Return a value as a person would write it; of secrets only what is no secret."""
    match value:
        case None:
            return _UNSET
        case SecretStr() if name == "database_url":
            return without_password(value.get_secret_value())
        case SecretStr():
            return _HIDDEN
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(str(part) for part in value)
        case _:
            kinds = [part for part in field.metadata if isinstance(part, Quantity)]
            return kinds[0].show(value) if kinds else str(value)


def _default(name: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict):
        return str(extra["shown"])
    if field.default in (None, ()):
        return "none"
    return f"`{_shown(name, field, field.default)}`"


def without_password(url: str) -> str:
    """Return a database URL that may be shown: without its password and its options."""
    parts = urlsplit(url)
    account, at, host = parts.netloc.rpartition("@")
    user, colon, _ = account.partition(":")
    netloc = f"{user}{':***' if colon else ''}{at}{host}"
    return urlunsplit((parts.scheme, netloc, parts.path, "", "")) if netloc else url
