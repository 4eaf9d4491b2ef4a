"""A bucket that answers what it was told to, for what no real server does when it is asked to."""

from __future__ import annotations

import io
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, TypeAlias

from runner.objects.base import Presigner
from runner.objects.s3_errors import Place
from runner.objects.s3_presigning import S3Presigner

Answer: TypeAlias = Callable[[dict[str, Any]], dict[str, Any] | None] | Exception


class ScriptedBucket:
    """Gives each operation the next of its answers, and keeps what was asked."""

    def __init__(self) -> None:
        self.place = Place("bucket", "p/", "http://nowhere")
        self.asked: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.metadata: dict[str, str] = {}
        self._answers: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._guard = threading.Lock()

    def on(self, operation: str, *answers: Answer) -> None:
        """Add answers: what a function of the arguments returns, or an error."""
        self._answers[operation].extend(answers)

    def ask(self, operation: str, key: str, **arguments: Any) -> dict[str, Any]:
        with self._guard:
            self.asked[operation].append(arguments)
            answer = self._answers[operation].popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer(arguments) or {}

    def read(self, key: str, **arguments: Any) -> tuple[dict[str, Any], bytes]:
        answer = self.ask("get_object", key, **arguments)
        return answer, answer["Body"].read()


def body(data: bytes) -> io.BytesIO:
    """Bytes as they come with an answer."""
    return io.BytesIO(data)


def no_presigner() -> Presigner:
    """A presigner for stores of which nobody asks an address."""
    return S3Presigner(None, "bucket", "p/")
