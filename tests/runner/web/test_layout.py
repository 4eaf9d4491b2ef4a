from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.web.columns import Needs
from runner.web.layout import TALLEST, Box, Layout, Measures, arrange

M = Measures()


def laid(needs: Needs, after: Needs | None = None) -> Layout:
    return arrange(needs, after or {}, lambda label: 100.0 + len(label))


def boxes(layout: Layout) -> dict[str, Box]:
    return {box.name: box for box in layout.boxes}


def overlap(one: Box, other: Box) -> bool:
    apart = (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )
    return not apart


def test_nothing_is_a_sheet_of_nothing() -> None:
    layout = laid({})
    assert (layout.boxes, layout.wires, layout.divider) == ((), (), None)


def test_one_step_lies_inside_its_margin() -> None:
    layout = laid({"a": ()})
    assert layout.boxes == (Box("a", "a", M.margin, M.margin, 101, M.height),)
    assert (layout.width, layout.height) == (101 + 2 * M.margin, M.height + 2 * M.margin)


def test_depth_is_a_column_and_each_need_a_wire() -> None:
    layout = laid({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")})
    found = boxes(layout)
    assert found["a"].x < found["b"].x == found["c"].x < found["d"].x
    assert found["b"].y < found["c"].y
    ends = {(wire[0], wire[-1]) for wire in layout.wires}
    assert len(ends) == 4
    a, b = found["a"], found["b"]
    assert ((a.x + a.width, a.y + a.height / 2), (b.x, b.y + b.height / 2)) in ends


def test_boxes_of_a_column_are_as_wide_as_the_widest() -> None:
    found = boxes(laid({"a": (), "long name": (), "b": ("a",)}))
    assert found["a"].width == found["long name"].width == 109
    assert found["b"].width == 101


def test_what_another_need_stands_for_is_left_out() -> None:
    layout = laid({"a": (), "b": ("a",), "c": ("a", "b")})
    assert len(layout.wires) == 2


def test_a_long_wire_has_a_lane_beside_the_boxes_it_passes() -> None:
    needs = {"a": (), "b": (), "c": ("b",), "d": ("c", "a")}
    layout = laid(needs)
    (long,) = [wire for wire in layout.wires if len(wire) > 2]
    lane_y = long[1][1]
    c = boxes(layout)["c"]
    assert not c.y <= lane_y <= c.y + c.height
    assert long[1][0] == c.x
    assert long[2] == (c.x + c.width, lane_y)


def test_steps_that_are_alike_share_a_frame_and_a_wire() -> None:
    names = tuple(f"test (python=3.{minor}, os=linux)" for minor in range(4))
    needs = {"a": (), **dict.fromkeys(names, ("a",)), "z": names}
    layout = laid(needs)
    (frame,) = layout.frames
    assert frame.label == "test"
    assert [box.label for box in layout.boxes if box.name in names] == [
        f"python=3.{minor}, os=linux" for minor in range(4)
    ]
    assert len(layout.wires) == 2
    for name in names:
        box = boxes(layout)[name]
        assert frame.x < box.x
        assert box.x + box.width < frame.x + frame.width
        assert frame.y < box.y
        assert box.y + box.height < frame.y + frame.height


def test_a_wide_bundle_is_a_grid() -> None:
    needs = {f"shard {number}": () for number in range(60)}
    layout = laid(needs)
    (frame,) = layout.frames
    assert frame.label == ""
    assert len({box.y for box in layout.boxes}) <= TALLEST
    assert len({box.x for box in layout.boxes}) == 5


def test_what_comes_after_all_others_has_columns_of_its_own() -> None:
    layout = laid({"a": (), "b": ("a",)}, {"tidy": (), "tell": ("tidy",)})
    found = boxes(layout)
    assert layout.divider is not None
    assert found["b"].x + found["b"].width < layout.divider < found["tidy"].x < found["tell"].x
    assert len(layout.wires) == 2
    assert laid({}, {"tidy": ()}).divider is None


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    count = draw(st.integers(0, 24))
    names = [f"s{number}" for number in range(count)]
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:place]), unique=True, max_size=4)))
        if place
        else ()
        for place, name in enumerate(names)
    }


@given(graphs(), graphs())
def test_every_step_has_a_place_and_none_covers_another(
    needs: dict[str, tuple[str, ...]], others: dict[str, tuple[str, ...]]
) -> None:
    after = {f"f{name}": tuple(f"f{need}" for need in needed) for name, needed in others.items()}
    layout = laid(needs, after)
    found = boxes(layout)
    assert set(found) == {*needs, *after}
    assert len(layout.boxes) == len(found)
    for place, box in enumerate(layout.boxes):
        assert box.x >= M.margin
        assert box.y >= M.margin
        assert box.x + box.width <= layout.width
        assert box.y + box.height <= layout.height
        assert not any(overlap(box, other) for other in layout.boxes[place + 1 :])
    for name, needed in {**needs, **after}.items():
        assert all(found[need].x < found[name].x for need in needed)
    assert laid(needs, after) == layout
