"""Says which variables of the machine a local step sees, and where its agent finds packages."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

PASSED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_*",
    "TZ",
    "TMPDIR",
    "TERM",
    "SSL_CERT_*",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_*",
    "UV_*",
    "*_proxy",
    "*_PROXY",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "GOPROXY",
    "GOPATH",
    "GOCACHE",
)
# Hookline's own settings, its secrets among them.
NEVER_PASSED = "HOOKLINE_*"
# Where a Python that was put somewhere unusual finds its own libraries.
_FOR_PYTHON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


def passed(environ: Mapping[str, str], patterns: Sequence[str]) -> dict[str, str]:
    """Return the variables whose names match one of the patterns, never Hookline's own."""
    return {
        name: value
        for name, value in environ.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
        and not fnmatchcase(name, NEVER_PASSED)
    }


def for_agent(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the agent itself needs of an environment, which is next to nothing."""
    return passed(environ, (*PASSED, *_FOR_PYTHON))


def packages() -> tuple[str, ...]:
    """Return the folders in which the agent finds zstd, where Python does not come with it."""
    return tuple(folder for folder in sys.path if Path(folder, "backports", "zstd").is_dir())
