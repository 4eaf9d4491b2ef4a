"""What a capture had to leave out, as warnings that name it without end-of-the-world lengths."""

from __future__ import annotations

_NAMED = 20


class Refusals:
    """Collects what was left out or is doubtful; the first ones are named, the rest counted."""

    def __init__(self) -> None:
        self._named: list[str] = []
        self._more = 0

    def leave_out(self, path: str, why: str) -> None:
        """Note that a path is not in the snapshot, and why."""
        self.warn(f"left out of the workspace: {path!r}: {why}")

    def warn(self, warning: str) -> None:
        """Note something that does not keep anything out of the snapshot."""
        if len(self._named) < _NAMED:
            self._named.append(warning)
        else:
            self._more += 1

    def warnings(self) -> tuple[str, ...]:
        """Return all warnings, the last of which may count those that are not told."""
        return (*self._named, f"and {self._more} more") if self._more else tuple(self._named)
