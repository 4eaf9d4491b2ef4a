"""What an instance can be told: one frozen model with the default and the meaning of each value."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias
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
from runner.quantities import (
    parse_duration,
    parse_processors,
    parse_size,
    show_duration,
    show_processors,
    show_size,
)
from runner.retention.overrides import parse_override

_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?")


def _split(value: object) -> object:
    """Return the parts of a comma-separated text, as environment variables hold lists."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


@dataclass(frozen=True)
class Quantity:
    """How numbers of one kind are written: read from a text, and shown so that it reads back."""

    parse: Callable[[str], float]
    show: Callable[[Any], str]

    def read(self, value: object) -> object:
        """Return the number that a text stands for, and anything else as it is."""
        return self.parse(value) if isinstance(value, str) else value


_SIZE = Quantity(parse_size, show_size)
_DURATION = Quantity(parse_duration, show_duration)
_PROCESSORS = Quantity(parse_processors, show_processors)

Size: TypeAlias = Annotated[int, _SIZE, BeforeValidator(_SIZE.read), Field(gt=0)]
Duration: TypeAlias = Annotated[float, _DURATION, BeforeValidator(_DURATION.read), Field(gt=0)]
Processors: TypeAlias = Annotated[
    float, _PROCESSORS, BeforeValidator(_PROCESSORS.read), Field(gt=0)
]
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


class S3(_Group):
    """How an object store that speaks S3 is reached; `object_store` names the bucket."""

    endpoint: str | None = Field(
        default=None,
        description="Address of the store, such as `https://minio.example.com:9000`; "
        "without it, Amazon's for the region.",
    )
    pod_endpoint: str | None = Field(
        default=None,
        description="Address under which Pods reach the store, if it is another one.",
        json_schema_extra={"shown": "`s3.endpoint`"},
    )
    region: str = Field(default="us-east-1", min_length=1, description="Region of the bucket.")
    access_key: str | None = Field(
        default=None,
        description="Access key; without it, where Amazon's tools look (environment, profile, "
        "role of the machine).",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="Secret key that belongs to the access key.",
    )
    ca_file: Folder | None = Field(
        default=None, description="Certificates that the store's own is checked against."
    )
    timeout: Duration = Field(
        default=60.0, description="Time a request may take without a byte coming or going."
    )
    patience: Duration = Field(
        default=60.0,
        description="Time for which requests are tried again while the store is away or overloaded.",
    )

    @field_validator("endpoint", "pod_endpoint")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            message = "is no address such as https://minio.example.com:9000"
            raise ValueError(message)
        return value.rstrip("/")

    @field_validator("secret_key")
    @classmethod
    def _has_its_pair(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) != (info.data.get("access_key") is None):
            message = "and s3.access_key belong together; give both or neither"
            raise ValueError(message)
        return value


class Kubernetes(_Group):
    """How steps run as Pods, with `executor = "kubernetes"`."""

    kubeconfig: Folder | None = Field(
        default=None,
        description="File that says how the cluster is reached; without it, `KUBECONFIG`, and "
        "inside a cluster the Pod's own service account.",
    )
    context: str | None = Field(
        default=None, description="Context of that file; without it, its current one."
    )
    namespace: str = Field(
        default="hookline-runs",
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="Namespace in which steps run.",
    )
    instance: str = Field(
        default="hookline",
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="Label of everything this instance makes; another one for each instance that "
        "shares a namespace.",
    )
    agent_image: str = Field(
        default="hookline:latest",
        min_length=1,
        description="Hookline's own image, which runs beside each step.",
    )
    default_image: str | None = Field(
        default=None, description="Image of steps that name none; without it, they are an error."
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When images are pulled."
    )
    pull_secrets: Names = Field(
        default=(), description="Names of the Secrets in the namespace that images are pulled with."
    )
    service_account: str = Field(
        default="default",
        min_length=1,
        description="Service account of the Pods; its token is never mounted.",
    )
    runtime_class: str | None = Field(
        default=None, description="Runtime class of the Pods, such as `gvisor`."
    )
    user: int = Field(
        default=10001, ge=1, le=2**31 - 1, description="User and group id under which steps run."
    )
    concurrency: int = Field(default=50, ge=1, description="Steps that run at the same time.")
    ahead: int = Field(
        default=2,
        ge=0,
        description="Pods that are started before their turn, at most; 0 starts none ahead.",
    )
    cpu: Processors = Field(
        default=0.1, description="Processors that a step asks for if it does not say."
    )
    memory: Size = Field(
        default=512 * 2**20, description="Memory of a step that does not say, which is its limit."
    )
    disk: Size = Field(
        default=10 * 2**30, description="Largest workspace of a step that does not say."
    )
    max_cpu: Processors = Field(default=8.0, description="Most processors a step may ask for.")
    max_memory: Size = Field(default=32 * 2**30, description="Most memory a step may ask for.")
    max_disk: Size = Field(default=100 * 2**30, description="Largest workspace to be asked for.")


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


class Retention(_Group):
    """How long what runs leave is kept, and when the rest is removed."""

    sweep: bool = Field(
        default=True, description="Whether the server removes by itself what is kept no longer."
    )
    every: Duration = Field(default=3600.0, description="Time between two sweeps.")
    workspaces: Duration = Field(
        default=30 * 86400.0,
        description="Time after its end for which a run keeps its workspaces and artifacts, and "
        "can be run again.",
    )
    runs: Duration = Field(
        default=90 * 86400.0,
        description="Time after its end for which a run and its logs are kept, and after which "
        "deliveries that led to no run are removed.",
    )
    keep: int = Field(
        default=3,
        ge=0,
        description="Newest runs of each branch that keep everything, however old they are.",
    )
    branches: Duration = Field(
        default=365 * 86400.0,
        description="Time after its newest run for which a branch counts for `retention.keep`; "
        "the default branch always does.",
    )
    grace: Duration = Field(
        default=86400.0,
        ge=7200.0,
        description="Time for which what is needed no longer stays, for those who are just about "
        "to use it: longer than a capture or an upload takes.",
    )
    repositories: Names = Field(
        default=(),
        description="Other times for some repositories, as `NAMES=WORKSPACES/RUNS` with a glob "
        "for the names, such as `acme/*=7d/30d`; the first that fits holds.",
    )

    @field_validator("runs")
    @classmethod
    def _not_before_their_workspaces(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("workspaces", 0.0):
            message = "is less than retention.workspaces"
            raise ValueError(message)
        return value

    @field_validator("repositories")
    @classmethod
    def _are_overrides(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parse_override(text)
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
        description="Where logs and workspaces are kept: a folder, as a path or a `file:` URL, or "
        "`s3://BUCKET/PREFIX`.",
        json_schema_extra={"shown": "`objects` in `data`"},
    )
    s3: S3 = S3()
    executor: Literal["local", "kubernetes"] = Field(
        default="local",
        validate_default=True,
        description="What runs steps: processes of this machine, or Pods, which need an object "
        "store that speaks S3.",
    )
    local: Local = Local()
    kubernetes: Kubernetes = Kubernetes()
    limits: Limits = Limits()
    retention: Retention = Retention()
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
    def object_folder(self) -> Path | None:
        """The folder of the object store, None if it speaks S3."""
        if self.object_store.startswith("s3:"):
            return None
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
    def _is_store(cls, value: str) -> str:
        if value.startswith("file:///"):
            return value
        if value.startswith("s3:"):
            if not _BUCKET.fullmatch(value):
                message = "names no bucket as in s3://hookline or s3://hookline/prefix"
                raise ValueError(message)
            return value.rstrip("/")
        if not value or ":" in value.partition("/")[0]:
            message = (
                "is neither a path nor a URL such as file:///srv/hookline/objects or s3://bucket"
            )
            raise ValueError(message)
        return _absolute(Path(value)).as_uri()

    @field_validator("executor")
    @classmethod
    def _has_its_store(cls, value: str, info: ValidationInfo) -> str:
        store = info.data.get("object_store")
        if store is None or store.startswith("s3:") == (value == "kubernetes"):
            return value
        message = (
            "kubernetes needs an object_store that Pods can reach, such as s3://hookline"
            if value == "kubernetes"
            else "local needs an object_store in a folder; with s3:// choose kubernetes"
        )
        raise ValueError(message)

    @field_validator("secret_key_file")
    @classmethod
    def _is_only_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("secret_key") is not None:
            message = "is given together with secret_key; leave one of them out"
            raise ValueError(message)
        return value
