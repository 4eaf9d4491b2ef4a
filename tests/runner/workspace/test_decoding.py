from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.workspace.decoding import decode
from runner.workspace.errors import ManifestInvalid
from runner.workspace.manifest import EMPTY_DIGEST, encode

A, B = "a" * 64, "b" * 64
PACK_A, PACK_B = [A, 100, 1, 50], [B, 200, 2, 60]
OID = "0" * 40


def raw(*rows: object, **header: object) -> bytes:
    """Return the bytes of a manifest with these rows, and with these things in its header."""
    head = {"format": 1, "parents": [], "packs": [PACK_A], **header}
    return f"{json.dumps(head)}\n{json.dumps(rows)}\n".encode()


def file(path: str = "f", **changed: object) -> list[object]:
    """Return a good row for a file, apart from what is changed."""
    fields: dict[str, Any] = {
        "kind": "f",
        "path": path,
        "size": 5,
        "digest": A,
        "modified": 0,
        "pack": 0,
        "offset": 0,
        "oid": "",
        "rest": [],
    }
    row = list((fields | changed).values())
    while row[-1] in ("", []):
        row.pop()
    return row


D = ["d", "d"]

BAD_HEADERS: dict[str, tuple[dict[str, object], str]] = {
    "format is unknown": ({"format": 2}, "format 2 is unknown"),
    "format is a truth": ({"format": True}, "format True is unknown"),
    "one key too many": ({"more": 1}, "header is not that of a manifest"),
    "parents are no list": ({"parents": {}}, "must be lists"),
    "parent is no digest": ({"parents": ["A" * 64]}, "a parent: 'A+' is no SHA-256 digest"),
    "parent is a number": ({"parents": [1]}, "a parent: 1 is no SHA-256 digest"),
    "packs are no list": ({"packs": 1}, "must be lists"),
    "pack is no list": ({"packs": ["x"]}, "a pack must be"),
    "pack is too short": ({"packs": [[A, 1, 1]]}, "a pack must be"),
    "pack has no digest": ({"packs": [["x", 1, 1, 1]]}, "a pack: 'x' is no SHA-256 digest"),
    "pack is there twice": ({"packs": [PACK_A, PACK_A]}, "twice or out of order"),
    "packs are out of order": ({"packs": [PACK_B, PACK_A]}, "twice or out of order"),
    "pack size is negative": ({"packs": [[A, -1, 1, 1]]}, "-1 is no size"),
    "pack size is a fraction": ({"packs": [[A, 1, 1.0, 1]]}, "1.0 is no size"),
    "pack size is huge": ({"packs": [[A, 1, 1, 2**63]]}, "is no size"),
    "pack has no prefix": ({"packs": [[*PACK_A, ""]]}, "'' is no prefix"),
    "prefix is nothing": ({"packs": [[*PACK_A, None]]}, "None is no prefix"),
    "prefix goes up": ({"packs": [[*PACK_A, "a/../b"]]}, "'a/../b' is no prefix"),
    "prefix is absolute": ({"packs": [[*PACK_A, "/a"]]}, "'/a' is no prefix"),
    "prefix ends in a slash": ({"packs": [[*PACK_A, "a/"]]}, "'a/' is no prefix"),
    "prefix is too long": ({"packs": [[*PACK_A, "a" * 901]]}, "is no prefix"),
    "pack has too much": ({"packs": [[*PACK_A, "a", 1]]}, "a pack must be"),
    "pack is not needed": ({"packs": [PACK_A, PACK_B]}, f"no entry needs the pack {B}"),
}

BAD_ROWS: dict[str, tuple[list[object], str]] = {
    "row is no list": (["x"], "must begin with its kind"),
    "row is too short": ([["d"]], "must begin with its kind"),
    "path is no text": ([["d", 1]], "must begin with its kind"),
    "kind is unknown": ([["s", "x"]], "unknown kind 's'"),
    "kind is no text": ([[1, "x"]], "unknown kind 1"),
    "absolute path": ([file("/etc/passwd")], "its path is absolute"),
    "parent path": ([["d", ".."]], "segment"),
    "path through a parent": ([D, file("d/../../x")], "segment"),
    "empty segment": ([D, file("d//x")], "segment"),
    "empty path": ([["d", ""]], "segment"),
    "NUL in a path": ([file("a\0")], "NUL"),
    "surrogate in a path": ([file("\udc80")], "not UTF-8"),
    "path twice": ([D, D], "twice or out of order"),
    "paths out of order": ([file("f"), D], "twice or out of order"),
    "below nothing": ([file("d/x")], "below 'd', which is no directory"),
    "below a file": ([file("d"), file("d/x")], "below 'd', which is no directory"),
    "below a symlink": ([["l", "d", "e"], file("d/x")], "below 'd', which is no directory"),
    "directory with more": ([["d", "d", 1]], "a directory has a path only"),
    "symlink without a target": ([["l", "x"]], "three or four fields"),
    "symlink with more": ([["l", "x", "y", OID, 1]], "three or four fields"),
    "symlink to a number": ([["l", "x", 1]], "must be a text"),
    "symlink that is absolute": ([["l", "x", "/etc"]], "absolute"),
    "symlink that leaves": ([D, ["l", "d/x", "../../y"]], "leaves the workspace"),
    "symlink that hides its way out": ([["l", "x", "y/../.."]], "leaves the workspace"),
    "symlink with an empty id": ([["l", "x", "y", ""]], "empty object id"),
    "symlink with a bad id": ([["l", "x", "y", "0"]], "no git object id"),
    "file with too little": ([file()[:6]], "seven to nine fields"),
    "file with too much": ([[*file(oid=OID, rest=[0]), 1]], "seven to nine fields"),
    "file with an empty id": ([[*file(), ""]], "empty object id"),
    "file with a bad id": ([file(oid="0" * 41)], "no git object id"),
    "size is a text": ([file(size="5")], "'5' is no size"),
    "size is a truth": ([file(size=True)], "True is no size"),
    "size is negative": ([file(size=-1)], "-1 is no size"),
    "digest is short": ([file(digest="a" * 63)], "no SHA-256 digest"),
    "digest has more": ([file(digest=A + "\n")], "no SHA-256 digest"),
    "time is a fraction": ([file(modified=1.5)], "no time in nanoseconds"),
    "time is out of range": ([file(modified=2**63)], "no time in nanoseconds"),
    "pack number is unknown": ([file(pack=1)], "pack number 1, which is not listed"),
    "pack number is negative": ([file(pack=-2)], "pack number -2"),
    "pack number is a text": ([file(pack="0")], "pack number '0'"),
    "offset is negative": ([file(offset=-1)], "-1 is no size or offset"),
    "begins behind its pack": ([file(offset=50)], "begins behind"),
    "ends behind its pack": ([file(offset=46)], "ends behind"),
    "empty file in a pack": ([file(size=0, digest=EMPTY_DIGEST)], "an empty file needs no pack"),
    "bytes without a pack": ([file(pack=-1)], "no pack holds it"),
    "empty with a wrong digest": ([file(size=0, pack=-1)], "no pack holds it"),
    "empty with an offset": (
        [file(size=0, pack=-1, digest=EMPTY_DIGEST, offset=1)],
        "no pack holds it",
    ),
    "rest is no list": ([[*file(), "", 1]], "list of packs that is none"),
    "rest is empty": ([[*file(), "", []]], "list of packs that is none"),
    "rest is not needed": ([file(rest=[0])], "ends before the last"),
}


def test_the_row_that_the_others_vary_is_good() -> None:
    assert decode(raw(file())).entries["f"].size == 5


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_bad_headers_are_refused(name: str) -> None:
    changed, why = BAD_HEADERS[name]
    with pytest.raises(ManifestInvalid, match=why) as caught:
        decode(raw(file(), **changed))
    assert caught.value.code == "manifest-invalid"


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_rows_are_refused(name: str) -> None:
    rows, why = BAD_ROWS[name]
    with pytest.raises(ManifestInvalid, match=why):
        decode(raw(*rows))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{}",
        b"[]\n[]\n",
        b"\xff\n[]\n",
        raw(file())[:-3],
        raw(file()) + raw(file()),
        raw(file()).replace(b"\n[", b"\n{", 1),
        raw(packs=[]).replace(b"\n[]\n", b"\n{}\n"),
        raw(packs=[]).replace(b"\n[]\n", b"\n" + b"[" * 100_000 + b"\n"),
        raw(packs=[]).replace(b"\n[]\n", b"\n[" + b"9" * 10_000 + b"]\n"),
    ],
)
def test_bytes_that_are_no_manifest_are_refused(data: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        decode(data)


def test_a_file_may_go_on_in_other_packs() -> None:
    row = file(size=100, rest=[1])
    entry = decode(raw(row, packs=[PACK_A, PACK_B])).entries["f"]
    assert entry.packs == (A, B)


@given(st.data())
def test_no_damage_gives_anything_but_a_manifest_or_a_refusal(data: st.DataObject) -> None:
    good = raw(D, file("d/f"), ["l", "x", "d"])
    at = data.draw(st.integers(0, len(good) - 1))
    damaged = good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :]
    try:
        manifest = decode(damaged)
    except ManifestInvalid:
        return
    assert decode(encode(manifest)) == manifest
