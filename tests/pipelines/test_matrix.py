"""A matrix gives every combination once, in order, and refuses to grow beyond its limit."""

from __future__ import annotations

import pytest

from pipelines.matrix import Combination, Matrix, MatrixTooLarge, label


@pytest.mark.parametrize(
    ("matrix", "labels"),
    [
        (Matrix({"a": ["1", "2"]}), ["a=1", "a=2"]),
        (
            Matrix({"a": ["1", "2"], "b": ["x", "y"]}),
            ["a=1, b=x", "a=1, b=y", "a=2, b=x", "a=2, b=y"],
        ),
        (Matrix({"a": ["1", "2"]}, exclude=[{"a": "2"}]), ["a=1"]),
        (Matrix({"a": ["1", "2"]}, exclude=[{"a": "3"}, {"b": "2"}]), ["a=1", "a=2"]),
        (
            Matrix({"a": ["1", "2"], "b": ["x", "y"]}, exclude=[{"a": "1", "b": "x"}]),
            ["a=1, b=y", "a=2, b=x", "a=2, b=y"],
        ),
        (Matrix({"a": ["1"]}, include=[{"a": "2", "c": "z"}]), ["a=1", "a=2, c=z"]),
        (Matrix({"a": ["1"]}, include=[{"a": "1"}]), ["a=1"]),
        (Matrix({}, include=[{"only": "this"}]), ["only=this"]),
    ],
)
def test_combinations(matrix: Matrix, labels: list[str]) -> None:
    assert [label(combination) for combination in matrix.combinations()] == labels


def test_a_matrix_at_its_limit_is_fine_and_beyond_it_is_refused_by_number() -> None:
    axis = [str(n) for n in range(16)]
    assert len(Matrix({"a": axis, "b": axis}).combinations()) == 256
    extra: list[Combination] = [{"a": "one more"}]
    with pytest.raises(MatrixTooLarge, match="257 combinations, more than the 256") as told:
        Matrix({"a": axis, "b": axis}, include=extra).combinations()
    assert (told.value.size, told.value.limit) == (257, 256)


def test_a_huge_matrix_is_refused_before_it_is_built() -> None:
    axis = [str(n) for n in range(1000)]
    with pytest.raises(MatrixTooLarge, match="1000000000"):
        Matrix({"a": axis, "b": axis, "c": axis}).combinations()
