from __future__ import annotations

from runner.workspace.refusals import Refusals


def test_what_is_left_out_is_named_with_the_reason() -> None:
    refusals = Refusals()
    refusals.leave_out("odd\n\udcff", "a socket")
    refusals.warn("something else")
    assert refusals.warnings() == (
        "left out of the workspace: 'odd\\n\\udcff': a socket",
        "something else",
    )


def test_after_twenty_the_rest_is_counted() -> None:
    refusals = Refusals()
    for number in range(23):
        refusals.leave_out(f"f{number}", "a socket")
    warnings = refusals.warnings()
    assert len(warnings) == 21
    assert warnings[-1] == "and 3 more"


def test_twenty_are_all_named() -> None:
    refusals = Refusals()
    for number in range(20):
        refusals.warn(str(number))
    assert refusals.warnings() == tuple(str(number) for number in range(20))
