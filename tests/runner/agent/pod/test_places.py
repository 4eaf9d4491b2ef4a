from __future__ import annotations

import pytest

from runner.agent.pod.places import Places


def test_places_are_where_the_contract_has_them() -> None:
    places = Places([])
    assert places.control == "/hookline/control"
    assert places.annotations == "/hookline/pod/annotations"
    assert places.output == "/hookline/scratch/output"
    assert places.home == "/hookline/scratch/home"
    assert places.workspace == "/workspace"
    assert places.log == "/tmp/log"
    assert places.termination == "/dev/termination-log"


def test_any_of_them_may_be_elsewhere() -> None:
    places = Places(["--scratch", "/s", "--path", "/packages", "--tmp", "/t"])
    assert (places.output, places.log, places.control) == (
        "/s/output",
        "/t/log",
        "/hookline/control",
    )


@pytest.mark.parametrize("arguments", [["--tmp"], ["tmp", "/t"], ["--what", "/x"], ["-h"]])
def test_what_is_no_option_is_refused_with_those_there_are(arguments: list[str]) -> None:
    with pytest.raises(ValueError, match=r"is no option with its value; .*--workspace PATH"):
        Places(arguments)
