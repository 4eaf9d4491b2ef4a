"""Sorting words."""


def by_length(words: list[str]) -> list[str]:
    """Return the words, the shortest first, equally long ones by the alphabet."""
    return sorted(words, key=lambda word: (len(word), word))
