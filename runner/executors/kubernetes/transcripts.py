"""Keeps the stored log of an attempt as its agent tells it, line by line, and fills what is missing."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path

from runner.executors.base import AttemptId
from runner.executors.kubernetes.orders import log_key
from runner.kube.spool import is_whole, replace_log
from runner.logs import LogBook
from runner.objects.base import ObjectMissing, ObjectStore

_SLACK = 1 << 20


@dataclass(frozen=True)
class Transcripts:
    """The logs of attempts while they are told, in the files of a log book.

    `limit` is how many bytes of a log are kept; an agent keeps to it, give or take a line.
    """

    logs: LogBook
    objects: ObjectStore
    limit: int

    def file(self, attempt: AttemptId) -> Path:
        """Return the file that the log of an attempt is kept in while it grows."""
        return self.logs.spool(attempt)

    def complete(self, attempt: AttemptId, size: int | None) -> bool:
        """Return whether all `size` bytes of a log are kept, fetching it if it was stored.

        With None, whatever was stored is all that there can be. Raise `ObjectStoreError`.
        """
        path = self.file(attempt)
        if size is not None and is_whole(path, size):
            return True
        if not path.exists() and self.objects.size(self.logs.key(attempt)) is not None:
            return True
        try:
            packed = self.objects.get(log_key(attempt))
        except ObjectMissing:
            return size is None
        found = _unpacked(packed, self.limit + _SLACK)
        if found is not None:
            replace_log(path, found)
        return size is None or is_whole(path, size)


def _unpacked(packed: bytes, most: int) -> bytes | None:
    """Return what a stored log holds, `most` bytes of it; None if it is damaged."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed), mode="rb") as file:
            return file.read(most)
    except (OSError, EOFError):
        return None
