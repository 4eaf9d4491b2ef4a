"""Counting words."""

from collections import Counter


def count(text: str) -> dict[str, int]:
    """Return how often each word stands in a text, case aside."""
    return dict(Counter(text.lower().split()))
