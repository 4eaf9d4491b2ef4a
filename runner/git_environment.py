"""What a git command may see of the machine it runs on: the settings and variables, and no others.

Two kinds of repository, two rules. A mirror holds what strangers pushed: its commands get nothing
that is not listed here. A working tree belongs to whoever started Hookline in it: its commands keep
that person's own configuration, except what the process around them says of another repository.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass

from runner.git_errors import HostileUrl
from runner.git_names import Remote

HARDENED = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.protectNTFS=true",
    "core.protectHFS=true",
    "core.warnAmbiguousRefs=false",
    "credential.helper=",
    "fetch.fsckObjects=true",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "maintenance.auto=false",
    "safe.bareRepository=explicit",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
    "transfer.fsckObjects=true",
)

QUIET = ("core.hooksPath=/dev/null", "core.fsmonitor=false")

# Where programs are, whom to trust, how to get out.
_KEPT = (
    "PATH",
    "TMPDIR",
    "DEVELOPER_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSH_AUTH_SOCK",
)

_KEPT_OF_USER = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH")

_PLAIN = {"LANGUAGE": "C", "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}

_FIXED = {
    **_PLAIN,
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS": "false",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oControlMaster=no -oControlPath=none",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_LITERAL_PATHSPECS": "1",
}


@dataclass(frozen=True)
class Identity:
    """Who makes commits on Hookline's behalf."""

    name: str = "Hookline"
    email: str = "hookline@localhost"


def options(settings: Iterable[str]) -> tuple[str, ...]:
    """Return settings (`key=value`) as the options that come before git's verb."""
    return tuple(word for setting in settings for word in ("-c", setting))


def hardened(scheme: str = "", identity: Identity | None = None) -> dict[str, str]:
    """Return the variables for a mirror's commands, which may speak one protocol, or none."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # Git asks this variable before every protocol.*.allow, and hands it on to what it starts.
    return {**kept, **_FIXED, **_signature(identity or Identity()), "GIT_ALLOW_PROTOCOL": scheme}


def users() -> dict[str, str]:
    """Return the variables for a working tree's commands.

    Left out is what a git hook would have set about its own repository.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _KEPT_OF_USER
    }
    return {**kept, **_PLAIN}


def credential(
    remote: Remote, username: str | None, token: str | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables that make git send a token to this remote alone, and what to mask.

    Without a username it goes as a bearer token. Raise `HostileUrl` where no token can be sent.
    """
    if token is None:
        return {}, ()
    if not remote.origin:
        message = f"a token cannot be sent to {remote.url}"
        raise HostileUrl(message, cure="use an https address, or configure no token")
    if not token or not f"{username or ''}{token}".isprintable():
        message = f"the token for {remote.url} is empty or holds a line break"
        raise HostileUrl(message, cure="configure the token as one line")
    pair = base64.b64encode(f"{username}:{token}".encode()).decode()
    scheme = f"Bearer {token}" if username is None else f"Basic {pair}"
    header = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{remote.origin}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: {scheme}",
    }
    return header, (pair, token)


def _signature(identity: Identity) -> dict[str, str]:
    return {
        "GIT_AUTHOR_NAME": identity.name,
        "GIT_AUTHOR_EMAIL": identity.email,
        "GIT_COMMITTER_NAME": identity.name,
        "GIT_COMMITTER_EMAIL": identity.email,
    }
