import unittest

from words.sorting import by_length


class Sorting(unittest.TestCase):
    def test_shortest_first(self) -> None:
        assert by_length(["three", "to", "one"]) == ["to", "one", "three"]

    def test_then_the_alphabet(self) -> None:
        assert by_length(["b", "a"]) == ["a", "b"]


if __name__ == "__main__":
    unittest.main()
