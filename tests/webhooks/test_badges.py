"""Badges are sound XML without anything active in them, whatever the label."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.states import RunStatus
from webhooks.badges import badge, etag, text_width

SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "title", "clipPath", "rect", "g", "text"}


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def colour(svg: str) -> str:
    return ET.fromstring(svg).findall(f".//{SVG}g/{SVG}rect")[1].attrib["fill"]


def test_a_badge() -> None:
    svg = badge("build", RunStatus.SUCCESS, title="run 3 of main")
    root = ET.fromstring(svg)
    assert texts(svg) == ["build", "success"]
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "build: success"
    assert root.findtext(f"{SVG}title") == "run 3 of main"


def test_the_title_has_a_default() -> None:
    title = ET.fromstring(badge("build", RunStatus.ERROR)).findtext(f"{SVG}title")
    assert title == "build: error"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (RunStatus.SUCCESS, "#2e7d32"),
        (RunStatus.WARNING, "#b65c00"),
        (RunStatus.FAILURE, "#c62828"),
        (RunStatus.ERROR, "#c62828"),
        (RunStatus.RUNNING, "#1565c0"),
        (RunStatus.QUEUED, "#1565c0"),
        (RunStatus.CANCELLED, "#616161"),
        (None, "#616161"),
    ],
)
def test_colours(status: RunStatus | None, expected: str) -> None:
    svg = badge("x", status)
    assert colour(svg) == expected
    assert texts(svg)[1] == (status or "unknown")


def test_wider_text_is_a_wider_badge() -> None:
    narrow, wide = text_width("iii"), text_width("WWW")
    assert 0 < narrow < wide
    assert text_width("") == 1
    assert text_width("🦊") == 11

    def width(label: str) -> float:
        return float(ET.fromstring(badge(label, None)).attrib["width"])

    assert width("WWW") - width("iii") == wide - narrow


def test_the_two_halves_meet() -> None:
    root = ET.fromstring(badge("build", RunStatus.SUCCESS))
    left, right = root.findall(f".//{SVG}g/{SVG}rect")
    assert left.attrib["width"] == right.attrib["x"]
    assert int(left.attrib["width"]) + int(right.attrib["width"]) == int(root.attrib["width"])


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ('"/><a href="x">', '"/><a href="x">'),
        ("a&b", "a&b"),
        ("{label} {0}", "{label} {0}"),
        ("x" * 99, "x" * 39 + "…"),
        ("a\x00\x1b\ufffe\ud800b", "ab"),
    ],
)
def test_hostile_labels(label: str, shown: str) -> None:
    svg = badge(label, RunStatus.SUCCESS, title=label)
    assert texts(svg)[0] == shown
    assert "<script" not in svg


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_whatever_the_label_it_is_sound(label: str, title: str) -> None:
    svg = badge(label, RunStatus.RUNNING, title=title)
    root = ET.fromstring(svg.encode())
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == ALLOWED
    assert not [name for it in root.iter() for name in it.attrib if name.startswith("on")]


def test_etags() -> None:
    one, other = badge("a", RunStatus.SUCCESS), badge("a", RunStatus.FAILURE)
    assert etag(one) == etag(badge("a", RunStatus.SUCCESS))
    assert etag(one) != etag(other)
    assert etag(one)[0] == etag(one)[-1] == '"'
