"""`/api/v1/repositories`: which repositories there are, and where each is found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.states import RunStatus
from runner.api import errors
from runner.api.access import Gate, Visitor, repository_of
from runner.api.answers import answer, nothing
from runner.api.bodies import Fields, fields_of, with_body
from runner.database import audit, repositories, runs
from runner.database.errors import NameTaken
from runner.database.repositories import Repository
from runner.database.words import Visibility
from runner.git_errors import HostileUrl
from runner.git_names import check_url
from runner.secrets import repository_context
from runner.services import Services
from runner.tokens import Scope
from webhooks.errors import PayloadError
from webhooks.forges.registry import all_forges
from webhooks.refs import checked_branch

_FORGES = tuple(sorted(all_forges()))
_NAME = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){0,3}")
_GITHUB = "github.com"


def _sound_name(value: str) -> str:
    parts = value.split("/")
    if not _NAME.fullmatch(value) or "." in parts or ".." in parts:
        message = "write one to four parts of letters, digits and `._-`, with `/` between them"
        raise ValueError(message)
    return value


def _known_forge(value: str) -> str:
    if value not in _FORGES:
        message = f"there are {', '.join(_FORGES)}"
        raise ValueError(message)
    return value


def _sound_clone_url(value: str) -> str:
    try:
        return check_url(value, allow_http=_is_loopback(value)).url
    except HostileUrl as error:
        raise ValueError(error.cure) from error


def _sound_web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        secure = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(value))
        sound = secure and parts.hostname and parts.username is None and (parts.port or 1) > 0
    except ValueError:
        sound = False
    plain = value.isascii() and value.isprintable() and not set(value) & set(" ?#\"'<>\\`")
    if not sound or not plain:
        message = "write an address such as https://forge.example.com/api, without credentials"
        raise ValueError(message)
    return value.rstrip("/")


def _sound_token(value: str) -> str:
    token = value.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        message = "a token is printable ASCII without spaces"
        raise ValueError(message)
    return token


def _sound_branch(value: str) -> str:
    try:
        return checked_branch(value)
    except PayloadError as error:
        message = "write the short name of a branch, such as `main`"
        raise ValueError(message) from error


WebAddress = Annotated[str, Field(max_length=2048), AfterValidator(_sound_web_address)]


_GOING_ON = tuple(status for status in RunStatus if not status.terminal)


class NewRepository(Fields):
    """What a repository is made of."""

    name: Annotated[str, Field(max_length=255), AfterValidator(_sound_name)]
    forge: Annotated[str, AfterValidator(_known_forge)]
    clone_url: Annotated[str, Field(max_length=2048), AfterValidator(_sound_clone_url)]
    api_url: WebAddress | None = None
    web_url: WebAddress | None = None
    token: Annotated[str, Field(max_length=4096), AfterValidator(_sound_token)] | None = None
    default_branch: Annotated[str, Field(max_length=255), AfterValidator(_sound_branch)] = "main"
    visibility: Visibility = Visibility.PRIVATE


@dataclass(frozen=True)
class Repositories:
    """The endpoints."""

    services: Services
    gate: Gate

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        place = "/api/v1/repositories"
        return [
            Route(place, self.listing),
            Route(place, with_body(self.create), methods=["POST"]),
            Route(f"{place}/{{name:path}}", self.show),
            Route(f"{place}/{{name:path}}", self.remove, methods=["DELETE"]),
        ]

    def listing(self, request: Request) -> Response:
        """Answer with the repositories that the visitor may see, by name."""
        visitor = self.gate.visitor(request)
        with self.services.database.read() as tx:
            seen = [one for one in repositories.listing(tx) if visitor.may_read(one)]
        return answer({"repositories": [shape(one, visitor) for one in seen]})

    def show(self, request: Request) -> Response:
        """Answer with one repository."""
        visitor = self.gate.visitor(request)
        with self.services.database.read() as tx:
            found = repository_of(tx, visitor, request.path_params["name"])
        return answer(shape(found, visitor))

    def create(self, request: Request, body: bytes) -> Response:
        """Write a new repository and answer with it."""
        visitor = self.gate.visitor(request)
        visitor.require(Scope.ADMIN)
        asked = fields_of(request, body, NewRepository)
        if asked.token is not None and not asked.clone_url.startswith(("http://", "https://")):
            message = "a token can only be sent to an https clone_url"
            raise errors.BadField(f"'token': {message}", cure="leave it out, or use https")
        try:
            made = self.services.database.transact(lambda tx: self._create(tx, visitor, asked))
        except NameTaken as error:
            raise errors.NameTaken(str(error), cure="choose another name") from error
        return answer(shape(made, visitor), 201)

    def _create(self, tx: Connection, visitor: Visitor, asked: NewRepository) -> Repository:
        now = self.services.clock.now()
        seal = self.services.keyring.encrypt
        audit.add(
            tx,
            at=now,
            who=visitor.account,
            what="repository.create",
            about={"repository": asked.name},
        )
        return repositories.add(
            tx,
            name=asked.name,
            forge=asked.forge,
            clone_url=asked.clone_url,
            at=now,
            api_url=asked.api_url or default_api_url(asked.forge, asked.clone_url),
            web_url=asked.web_url or default_web_url(asked.forge, asked.clone_url),
            token=None
            if asked.token is None
            else seal(asked.token, repository_context(asked.name)),
            default_branch=asked.default_branch,
            visibility=asked.visibility,
        )

    def remove(self, request: Request) -> Response:
        """Delete a repository with everything that belongs to it."""
        visitor = self.gate.visitor(request)
        name = request.path_params["name"]
        self.services.database.transact(lambda tx: self._remove(tx, visitor, name))
        return nothing()

    def _remove(self, tx: Connection, visitor: Visitor, name: str) -> None:
        found = repository_of(tx, visitor, name, Scope.ADMIN)
        if any(runs.page(tx, found.id, status=status, limit=1) for status in _GOING_ON):
            message = f"runs of {found.name} are going on"
            raise errors.Conflict(message, cure="cancel them, and wait until they have ended")
        audit.add(
            tx,
            at=self.services.clock.now(),
            who=visitor.account,
            what="repository.delete",
            about={"repository": found.name},
        )
        repositories.remove(tx, found.id)


def shape(repository: Repository, visitor: Visitor) -> dict[str, Any]:
    """Return a repository as JSON; where it is fetched from only for those who administer it."""
    told = {
        "name": repository.name,
        "forge": repository.forge,
        "web_url": repository.web_url,
        "default_branch": repository.default_branch,
        "visibility": repository.visibility,
        "created_at": repository.created_at,
    }
    if visitor.may(Scope.ADMIN, repository):
        told |= {
            "clone_url": repository.clone_url,
            "api_url": repository.api_url,
            "has_token": repository.token is not None,
            "badge_key": repository.badge_key,
        }
    return told


def default_api_url(forge: str, clone_url: str) -> str | None:
    """Return where the forge of a clone URL is likely to have its API; None if it has none.

    https://docs.github.com/en/enterprise-server/rest/quickstart for servers of GitHub's own kind.
    """
    address = urlsplit(clone_url)
    if forge == "git" or address.scheme not in ("https", "http", "ssh"):
        return None
    host = address.hostname or ""
    if forge == "github":
        return "https://api.github.com" if host == _GITHUB else f"https://{host}/api/v3"
    return f"{address.scheme}://{address.netloc}" if address.scheme != "ssh" else f"https://{host}"


def default_web_url(forge: str, clone_url: str) -> str | None:
    """Return where people look at a repository, as far as its clone URL tells."""
    address = urlsplit(clone_url)
    if forge == "git" or address.scheme not in ("https", "http"):
        return None
    return f"{address.scheme}://{address.netloc}{address.path.rstrip('/').removesuffix('.git')}"


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
