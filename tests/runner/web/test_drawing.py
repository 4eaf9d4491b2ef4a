from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from pipelines.states import State
from runner.database.steps import Step
from runner.web.drawing import draw, fitted
from tests.support.seeds import NOW, a_finally_step, a_step

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*steps: Step) -> ElementTree.Element:
    placed = [replace(step, position=place) for place, step in enumerate(steps)]
    text = str(draw(placed)).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return ElementTree.fromstring(text)


def nodes(svg: ElementTree.Element) -> dict[str, ElementTree.Element]:
    found = {}
    for node in svg.iter(f"{SVG}a"):
        name = node.find(f"{SVG}text[@class='name']")
        assert name is not None
        found[name.text or ""] = node
    return found


def test_no_steps_no_drawing() -> None:
    assert draw([]) == ""


def test_a_node_says_how_its_step_stands() -> None:
    step = a_step("lint", State.FAILURE)
    node = nodes(drawn(step))["lint"]
    assert node.get("class") == "node failure"
    assert node.get("href") == "#step-0"
    assert node.findtext(f"{SVG}title") == "lint: failed in 3.4 s\nexited with 1"
    assert node.findtext(f"{SVG}text[@class='note']") == "3.4 s"
    use = node.find(f"{SVG}use")
    assert use is not None
    assert use.get("href") == "#i-failure"


def test_a_step_that_runs_has_its_seconds_counted() -> None:
    found = nodes(drawn(a_step("a", State.RUNNING), a_step("b", State.PENDING)))
    running = found["a"].find(f"{SVG}text[@class='note']")
    assert running is not None
    assert running.get("data-since") == f"{NOW + 2:.3f}"
    waiting = found["b"].find(f"{SVG}text[@class='note']")
    assert waiting is not None
    assert (waiting.text, waiting.get("data-since")) == ("waiting", None)


def test_a_step_that_may_fail_is_a_warning() -> None:
    found = nodes(drawn(a_step("a", State.FAILURE, allow_failure=True)))
    assert found["a"].get("class") == "node warning"


def test_frames_wires_and_what_comes_last() -> None:
    shards = [a_step(f"map (shard={number})", needs=("a",)) for number in range(3)]
    last = a_step("z", needs=tuple(step.name for step in shards))
    svg = drawn(a_step("a"), *shards, last, a_finally_step("tidy", needs=("z",)))
    labels = [text.text for text in svg.iter(f"{SVG}text") if text.get("class") == "label"]
    assert labels == ["map", "finally"]
    assert set(nodes(svg)) == {"a", "shard=0", "shard=1", "shard=2", "z", "tidy"}
    wires = [path.get("d") for path in svg.iter(f"{SVG}path") if path.get("class") == "wire"]
    assert len(wires) == 2


def test_a_long_wire_is_one_path() -> None:
    svg = drawn(a_step("a"), a_step("b"), a_step("c", needs=("b",)), a_step("d", needs=("c", "a")))
    paths = [path.get("d") or "" for path in svg.iter(f"{SVG}path")]
    assert sorted((path.count("M"), path.count("L"), path.count("C")) for path in paths) == [
        (1, 0, 1),
        (1, 0, 1),
        (1, 1, 2),
    ]


def test_long_names_are_cut_to_fit() -> None:
    assert fitted("short", 100) == "short"
    cut = fitted("a very long name of a step", 100)
    assert cut.endswith("…")
    assert "a very long".startswith(cut[:5])
    assert fitted("wide", 0) == "…"


def test_there_are_no_styles_and_no_scripts_in_it() -> None:
    text = str(draw([a_step('"><script>alert(1)</script>', reason="<img onerror=x>")]))
    assert "<script" not in text
    assert "<img" not in text
    assert "style=" not in text
    assert " on" not in text.replace(" onerror=x", "")
