from __future__ import annotations

import hashlib
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from runner.workspace.decoding import decode
from runner.workspace.manifest import (
    EMPTY,
    EMPTY_DIGEST,
    Entry,
    Kind,
    Manifest,
    Pack,
    build,
    encode,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64
OID = "0" * 40
PACKS = {A: Pack(100, 1, 50), B: Pack(200, 2, 60), C: Pack(300, 3, 70)}


def example() -> Manifest:
    """A manifest with an entry of every form."""
    entries = [
        Entry("z", size=5, digest=C, modified_ns=-7, pack=B, offset=3),
        Entry("dir", Kind.DIRECTORY),
        Entry("dir/run", executable=True, size=100, digest=B, pack=A, offset=9, rest=(B,)),
        Entry("dir/link", Kind.SYMLINK, target="../z", oid=OID),
        Entry("dir/plain", Kind.SYMLINK, target="run"),
        Entry("empty", digest=EMPTY_DIGEST, modified_ns=1, oid=OID),
        Entry("dir/both", size=100, digest=B, pack=A, oid=OID, rest=(B,)),
    ]
    return build(entries, (C, A), PACKS)


def test_the_canonical_bytes_are_two_lines_of_json() -> None:
    head, body = encode(example()).decode().splitlines()
    assert head == (
        f'{{"format":1,"parents":["{C}","{A}"],"packs":[["{A}",100,1,50],["{B}",200,2,60]]}}'
    )
    assert body == (
        '[["d","dir"],'
        f'["f","dir/both",100,"{B}",0,0,0,"{OID}",[1]],'
        f'["l","dir/link","../z","{OID}"],'
        '["l","dir/plain","run"],'
        f'["x","dir/run",100,"{B}",0,0,9,"",[1]],'
        f'["f","empty",0,"{EMPTY_DIGEST}",1,-1,0,"{OID}"],'
        f'["f","z",5,"{C}",-7,1,3]]'
    )


def test_what_is_encoded_can_be_decoded() -> None:
    manifest = example()
    decoded = decode(encode(manifest))
    assert decoded == manifest
    assert list(decoded.entries) == sorted(decoded.entries)


def test_the_digest_is_that_of_the_canonical_bytes() -> None:
    manifest = example()
    assert manifest.digest == hashlib.sha256(encode(manifest)).hexdigest()
    assert decode(encode(manifest)).digest == manifest.digest


@given(st.randoms(use_true_random=False))
def test_the_order_of_what_it_is_built_from_means_nothing(dice: Random) -> None:
    entries, packs = list(example().entries.values()), list(PACKS.items())
    dice.shuffle(entries)
    dice.shuffle(packs)
    assert encode(build(entries, (C, A), dict(packs))) == encode(example())


def test_a_pack_under_a_prefix_says_so_and_no_other_does() -> None:
    here, there = Pack(100, 1, 50), Pack(200, 2, 60, "attempts/r/a-1")
    entry = Entry("f", size=100, digest=C, pack=A, offset=9, rest=(B,))
    manifest = build([entry], (), {A: here, B: there})
    head = encode(manifest).decode().splitlines()[0]
    assert head.endswith(f'"packs":[["{A}",100,1,50],["{B}",200,2,60,"attempts/r/a-1"]]}}')
    assert decode(encode(manifest)) == manifest


def test_packs_that_no_entry_needs_are_not_listed() -> None:
    assert list(example().packs) == [A, B]


def test_files_are_only_files() -> None:
    assert [entry.path for entry in example().files()] == ["dir/both", "dir/run", "empty", "z"]


def test_an_entry_names_its_packs_in_order() -> None:
    assert Entry("x", pack=B, rest=(A,)).packs == (B, A)
    assert Entry("x").packs == ()


def test_the_empty_manifest_has_a_digest_too() -> None:
    assert decode(encode(EMPTY)) == EMPTY
    assert EMPTY.digest == hashlib.sha256(encode(EMPTY)).hexdigest()
