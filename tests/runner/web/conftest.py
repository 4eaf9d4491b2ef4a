"""An instance with a real SQLite database, and clients that talk to it."""

from __future__ import annotations

from tests.support.instances import client, instance

__all__ = ["client", "instance"]
