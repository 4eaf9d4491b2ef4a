from __future__ import annotations

import pytest

from runner.workspace.errors import NamesClash
from runner.workspace.folding import check_names

CLASHES = [["a", "A"], ["dir/é", "dir/e\u0301"], ["straße", "STRASSE"], ["Dir/x", "dir/x"]]


@pytest.mark.parametrize("paths", CLASHES)
def test_names_that_are_one_here_are_refused(paths: list[str]) -> None:
    with pytest.raises(NamesClash, match="are one name to the file system here") as caught:
        check_names(paths, lambda: True)
    assert repr(paths[0]) in str(caught.value)
    assert caught.value.code == "names-clash"


@pytest.mark.parametrize("paths", CLASHES)
def test_where_they_are_told_apart_they_are_fine(paths: list[str]) -> None:
    check_names(paths, lambda: False)


def test_the_file_system_is_not_asked_without_need() -> None:
    def folds() -> bool:
        message = "nobody should ask"
        raise AssertionError(message)

    check_names(["a", "b", "a/b", "é"], folds)
    with pytest.raises(AssertionError, match="nobody should ask"):
        check_names(["a", "A"], folds)
