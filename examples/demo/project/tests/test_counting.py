import unittest

from words.counting import count


class Counting(unittest.TestCase):
    def test_nothing(self) -> None:
        assert count("") == {}

    def test_case_does_not_matter(self) -> None:
        assert count("The cat the hat") == {"the": 2, "cat": 1, "hat": 1}


if __name__ == "__main__":
    unittest.main()
