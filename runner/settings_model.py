"""What an instance can be told: one frozen model with the default and the meaning of each value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from runner.executors.host import PASSED
from runner.quantities import parse_duration, parse_size


def _split(value: object) -> object:
    """Return the parts of a comma-separated text, as environment variables hold lists."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _parsed_size(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


def _parsed_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Size: TypeAlias = Annotated[int, BeforeValidator(_parsed_size), Field(gt=0)]
Duration: TypeAlias = Annotated[float, BeforeValidator(_parsed_duration), Field(gt=0)]
Names: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_split)]
Folder: TypeAlias = Annotated[Path, AfterValidator(_absolute)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Listen(_Group):
    """Where the server listens."""

    host: str = Field(default="127.0.0.1", description="Address the server listens on.")
    port: int = Field(
        default=8080, ge=0, le=65535, description="Port the server listens on; 0 takes one."
    )


class Local(_Group):
    """How steps run as processes of this machine."""

    pass_environment: Names = Field(
        default=PASSED,
        description="Globs of the variables of the server's own environment that steps may see; "
        "`HOOKLINE_*` never are.",
    )
    allow_untrusted: bool = Field(
        default=False,
        description="Run pull requests from forks as processes of this machine. Whoever opens one "
        "can then do what the server's account can do.",
    )
    concurrency: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="Steps that run at the same time.",
        json_schema_extra={"shown": "number of processors"},
    )


class Limits(_Group):
    """What is too large or too long."""

    hook_body: Size = Field(default=25 * 2**20, description="Largest body of a webhook.")
    config_file: Size = Field(default=4 * 2**20, description="Largest `.ci.yaml`.")
    log: Size = Field(
        default=64 * 2**20, description="Largest log of one attempt; the rest is cut."
    )
    timeout: Duration = Field(default=3600.0, description="Time a step may run if it does not say.")
    max_timeout: Duration = Field(default=86400.0, description="Longest time a step may ask for.")
    waiting: Duration = Field(default=600.0, description="Time a step may wait to be started.")

    @field_validator("max_timeout")
    @classmethod
    def _at_least_the_default(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("timeout", 0.0):
            message = "is less than limits.timeout"
            raise ValueError(message)
        return value


def default_data(environ: Mapping[str, str]) -> Path:
    """Return the folder for data by the XDG rules; the working folder's `data` without a home."""
    if environ.get("XDG_DATA_HOME"):
        return Path(environ["XDG_DATA_HOME"], "hookline")
    if environ.get("HOME"):
        return Path(environ["HOME"], ".local", "share", "hookline")
    return Path("data").absolute()


def url_of(listen: Listen) -> str:
    """Return the address of a server that listens there, as its own machine sees it."""
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(listen.host, listen.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{listen.port}"


class Settings(_Group):
    """The settings of an instance; made by `load`, or directly with values (all have defaults)."""

    listen: Listen = Listen()
    url: str = Field(
        default_factory=lambda data: url_of(data["listen"]),
        description="Address under which people and forges reach this instance.",
        json_schema_extra={"shown": "from `listen`"},
    )
    data: Folder = Field(
        default_factory=lambda: default_data(os.environ),
        description="Folder for everything that is kept on this machine.",
        json_schema_extra={"shown": "`$XDG_DATA_HOME/hookline` or `~/.local/share/hookline`"},
    )
    database_url: SecretStr = Field(
        default_factory=lambda data: SecretStr(f"sqlite:///{data['data'] / 'hookline.db'}"),
        description="Database: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`.",
        json_schema_extra={"shown": "`hookline.db` in `data`"},
    )
    object_store: str = Field(
        default_factory=lambda data: (data["data"] / "objects").as_uri(),
        description="Where logs and workspaces are kept: a folder, as a path or a `file:` URL.",
        json_schema_extra={"shown": "`objects` in `data`"},
    )
    executor: Literal["local"] = Field(default="local", description="What runs steps.")
    local: Local = Local()
    limits: Limits = Limits()
    secret_key: SecretStr | None = Field(
        default=None,
        description="Key that encrypts stored secrets: 32 random bytes in base64. After a comma, "
        "older keys that may still decrypt.",
    )
    secret_key_file: Folder | None = Field(
        default=None,
        description="File that holds the key, one a line, newest first. Without either, a key is "
        "made in `secret.key` in `data`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least important messages of the server's own log."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="Shape of the server's own log: for people or for machines."
    )
    status_context: str = Field(
        default="hookline",
        min_length=1,
        max_length=100,
        description="Name under which results appear on a commit.",
    )

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def object_folder(self) -> Path:
        """The folder of the object store."""
        return Path(unquote(urlsplit(self.object_store).path))

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            message = "is no address such as https://ci.example.com"
            raise ValueError(message)
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _is_known_database(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("sqlite:///", "postgresql://")):
            message = "begins with neither sqlite:/// nor postgresql://"
            raise ValueError(message)
        return value

    @field_validator("object_store")
    @classmethod
    def _is_folder(cls, value: str) -> str:
        if value.startswith("file:///"):
            return value
        if not value or ":" in value.partition("/")[0]:
            message = "is neither a path nor a URL such as file:///srv/hookline/objects"
            raise ValueError(message)
        return _absolute(Path(value)).as_uri()

    @field_validator("secret_key_file")
    @classmethod
    def _is_only_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("secret_key") is not None:
            message = "is given together with secret_key; leave one of them out"
            raise ValueError(message)
        return value
