from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.workspace.decoding import decode
from runner.workspace.index import Index
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
from runner.workspace.merge import Conflict, merge, merge_snapshots
from runner.workspace.restore import restore
from runner.workspace.snapshots import Snapshots
from tests.runner.workspace.test_packs import Counting
from tests.runner.workspace.trees import (
    FOLDER,
    File,
    Node,
    capture_all,
    names_in,
    snapshot_of,
    store,
    write_file,
)

# A tree in short: a path with a "/" at its end is a directory, one with a value a file that holds
# it, or a symlink if the value begins with ">".
Short = Mapping[str, str]


def tree(short: Short | str) -> Manifest:
    """Return the manifest of a tree in short, or of `path=value path/ ...`."""
    if isinstance(short, str):
        words = [word.partition("=") for word in short.split()]
        short = {path: value for path, _, value in words}
    return build([entry(path, value) for path, value in short.items()], (), {})


def entry(path: str, value: str) -> Entry:
    if path.endswith("/"):
        return Entry(path[:-1], Kind.DIRECTORY)
    if value.startswith(">"):
        return Entry(path, Kind.SYMLINK, target=value[1:])
    return Entry(path, executable=value.endswith("*"), digest=value)


def short(entries: Mapping[str, Entry]) -> str:
    """Return entries as `tree` takes them."""
    words = []
    for path, found in entries.items():
        match found.kind:
            case Kind.DIRECTORY:
                words.append(f"{path}/")
            case Kind.SYMLINK:
                words.append(f"{path}=>{found.target}")
            case Kind.FILE:
                words.append(f"{path}={found.digest}")
    return " ".join(words)


def merged(base: str, *inputs: str) -> tuple[str, list[str]]:
    """Merge trees in short that have the same base; return the result and the conflicts."""
    named = [(f"s{number}", tree(text)) for number, text in enumerate(inputs)]
    result = merge(named, lambda _: tree(base).entries)
    conflicts = [f"{one.path}:{one.earlier}<{one.later}" for one in result.conflicts]
    return short(result.manifest.entries), conflicts


# name: (base, inputs, result, conflicts)
CASES: dict[str, tuple[str, list[str], str, list[str]]] = {
    "nothing happened": ("a=1", ["a=1", "a=1"], "a=1", []),
    "one changed": ("a=1", ["a=2", "a=1"], "a=2", []),
    "the other changed": ("a=1", ["a=1", "a=2"], "a=2", []),
    "both changed alike": ("a=1", ["a=2", "a=2"], "a=2", []),
    "both changed": ("a=1", ["a=2", "a=3"], "a=3", ["a:s0<s1"]),
    "one added": ("", ["a=1", ""], "a=1", []),
    "both added alike": ("", ["a=1", "a=1"], "a=1", []),
    "both added": ("", ["a=1", "a=2"], "a=2", ["a:s0<s1"]),
    "one removed": ("a=1 b=1", ["b=1", "a=1 b=1"], "b=1", []),
    "the other removed": ("a=1 b=1", ["a=1 b=1", "b=1"], "b=1", []),
    "both removed": ("a=1", ["", ""], "", []),
    "one removed what the other changed": ("a=1", ["", "a=2"], "a=2", ["a:s0<s1"]),
    "the other removed what one changed": ("a=1", ["a=2", ""], "", ["a:s0<s1"]),
    "the bit is a change": ("a=1", ["a=1*", "a=1"], "a=1*", []),
    "a target is a change": ("a=>x", ["a=>y", "a=>z"], "a=>z", ["a:s0<s1"]),
    "a kind is a change": ("a=1", ["a=>x", "a=1"], "a=>x", []),
    "different paths": ("a=1 b=1", ["a=2 b=1", "a=1 b=2"], "a=2 b=2", []),
    "three": ("a=1", ["a=1", "a=2", "a=1"], "a=2", []),
    "three changed": ("a=1", ["a=2", "a=3", "a=4"], "a=4", ["a:s0<s1", "a:s1<s2"]),
    "the last agrees with the first": (
        "a=1", ["a=2", "a=3", "a=2"], "a=2", ["a:s0<s1", "a:s1<s2"],
    ),
    "the middle is bystander": ("a=1", ["a=2", "a=1", "a=3"], "a=3", ["a:s0<s2"]),
    "a directory was removed": ("d/ d/a=1", ["", "d/ d/a=1"], "", []),
    "an empty directory was added": ("", ["d/", ""], "d/", []),
    "a removed directory comes back for what is new": (
        "d/ d/a=1", ["", "d/ d/a=1 d/b=1"], "d/ d/b=1", [],
    ),
    "and the other way round": ("d/ d/a=1", ["d/ d/a=1 d/b=1", ""], "d/ d/b=1", []),
    "deep directories come back": (
        "d/ d/e/ d/e/a=1", ["", "d/ d/e/ d/e/a=2"], "d/ d/e/ d/e/a=2", ["d/e/a:s0<s1"],
    ),
    "a file for a directory, untouched by the other": ("d/ d/a=1", ["d=1", "d/ d/a=1"], "d=1", []),
    "a directory for a file, untouched by the other": ("d=1", ["d=1", "d/ d/a=1"], "d/ d/a=1", []),
    "a file for a directory in which the other wrote": (
        "d/ d/a=1", ["d=1", "d/ d/a=1 d/b=1"], "d/ d/b=1", ["d:s0<s1"],
    ),
    "the other way round": ("d/ d/a=1", ["d/ d/a=1 d/b=1", "d=1"], "d=1", ["d:s0<s1"]),
    "a file against a directory, both new": ("", ["d=1", "d/ d/a=1"], "d/ d/a=1", ["d:s0<s1"]),
    "a directory against a file, both new": ("", ["d/ d/a=1", "d=1"], "d=1", ["d:s0<s1"]),
    "a symlink against a directory, both new": (
        "", ["d/ d/e/ d/e/a=1", "d=>x"], "d=>x", ["d:s0<s1"],
    ),
    "a clash far above": (
        "d/ d/e/", ["d=1", "d/ d/e/ d/e/f/ d/e/f/a=1"], "d/ d/e/ d/e/f/ d/e/f/a=1", ["d:s0<s1"],
    ),
    "a changed file in a directory that became a file": (
        "d/ d/a=1", ["d/ d/a=2", "d=1"], "d=1", ["d/a:s0<s1"],
    ),
    "who made the directory is named": (
        "d/", ["d/", "d/ d/a=1", "d=1"], "d=1", ["d:s1<s2"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_merges_by_table(name: str) -> None:
    base, inputs, result, conflicts = CASES[name]
    assert merged(base, *inputs) == (result, conflicts)


def test_one_input_is_its_own_merge() -> None:
    assert merged("a=1", "b=2") == ("b=2", [])


def test_times_are_no_change() -> None:
    def at(time: int, oid: str = "") -> Manifest:
        return build([Entry("a", digest=EMPTY_DIGEST, modified_ns=time, oid=oid)], (), {})

    result = merge([("x", at(2)), ("y", at(3, "0" * 40))], lambda _: at(1).entries)
    assert result.conflicts == ()
    assert result.manifest.entries["a"].modified_ns == 2


NAMES = st.sampled_from("abc")
VALUES = st.sampled_from(["1", "2", "3", ">x", "1*"])


@st.composite
def shorts(draw: st.DrawFn, above: str = "", depth: int = 2) -> dict[str, str]:
    """Make up a small tree in short."""
    result: dict[str, str] = {}
    for name in draw(st.lists(NAMES, unique=True, max_size=3)):
        if depth and draw(st.booleans()):
            result[f"{above}{name}/"] = ""
            result |= draw(shorts(f"{above}{name}/", depth - 1))
        else:
            result[above + name] = draw(VALUES)
    return result


@st.composite
def successors(draw: st.DrawFn, before: Short) -> Manifest:
    """Make up a tree that shares much with another."""
    other = draw(shorts())
    mixed = {path: value for path, value in before.items() if draw(st.integers(0, 3))}
    mixed = {**mixed, **other} if draw(st.booleans()) else {**other, **mixed}
    entries: dict[str, Entry] = {}
    for path in sorted(mixed):
        above = path.rstrip("/").rpartition("/")[0]
        if path.rstrip("/") not in entries and (
            not above or (above in entries and entries[above].kind is Kind.DIRECTORY)
        ):
            entries[path.rstrip("/")] = entry(path, mixed[path])
    return build(entries.values(), (), {})


def twin(
    base: Mapping[str, Entry], ours: Mapping[str, Entry], theirs: Mapping[str, Entry]
) -> tuple[dict[str, Entry], set[str]]:
    """Merge three trees slowly: choose path by path, then mend what is no tree until it is one."""
    result: dict[str, Entry] = {}
    conflicts: set[str] = set()
    for path in {*base, *ours, *theirs}:
        values = [side[path].value if path in side else None for side in (base, ours, theirs)]
        old, mine, other = values
        chosen = ours if other in (mine, old) else theirs
        if mine not in (other, old) and other != old:
            conflicts.add(path)
        if path in chosen:
            result[path] = chosen[path]
    while True:
        parents = {path.rpartition("/")[0] for path in result} - {""}
        homes = [parent for parent in parents if parent not in result]
        clashing = [
            (path, above)
            for path in result
            for above in result
            if path.startswith(f"{above}/") and result[above].kind is not Kind.DIRECTORY
        ]
        if clashing:
            path, above = clashing[0]
            conflicts.add(above)
            if above in theirs and theirs[above].value == result[above].value:
                del result[path]
            else:
                result[above] = Entry(above, Kind.DIRECTORY)
        elif homes:
            result[homes[0]] = Entry(homes[0], Kind.DIRECTORY)
        else:
            return result, conflicts


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_it_agrees_with_a_slow_twin(data: st.DataObject) -> None:
    start = data.draw(shorts())
    base = tree(start)
    inputs = [data.draw(successors(start)) for _ in range(data.draw(st.integers(2, 3)))]
    named = [(str(number), manifest) for number, manifest in enumerate(inputs)]
    result = merge(named, lambda _: base.entries)
    expected, paths = dict(inputs[0].entries), set()
    for theirs in inputs[1:]:
        expected, conflicts = twin(base.entries, expected, theirs.entries)
        paths |= conflicts
    found = result.manifest.entries
    assert {path: entry.value for path, entry in found.items()} == {
        path: entry.value for path, entry in expected.items()
    }
    assert {conflict.path for conflict in result.conflicts} == paths
    assert all(conflict.earlier < conflict.later for conflict in result.conflicts)
    check_tree(found)


def check_tree(entries: Mapping[str, Entry]) -> None:
    """Check that a tree is one; digests stand for contents here, so `decode` would mind those."""
    plain = [
        Entry(
            path,
            found.kind,
            digest=EMPTY_DIGEST if found.kind is Kind.FILE else "",
            target=found.target,
        )
        for path, found in entries.items()
    ]
    decode(encode(build(plain, (), {})))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_changes_of_one_input_alone_all_get_through(data: st.DataObject) -> None:
    start = data.draw(shorts())
    base, changed = tree(start), data.draw(successors(start))
    for inputs in ([base, changed], [changed, base], [changed, changed], [base, changed, base]):
        named = [(str(number), manifest) for number, manifest in enumerate(inputs)]
        result = merge(named, lambda _: base.entries)
        assert result.manifest.entries == changed.entries
        assert result.conflicts == ()


class Runs:
    """Steps that each begin with the merge of others and change one thing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.snapshots = store()
        self.steps: dict[str, str] = {}
        self.conflicts: tuple[Conflict, ...] = ()

    def start(self, entries: Mapping[str, Node]) -> None:
        captured = snapshot_of(self.root / "source", entries, self.snapshots)
        self.steps["source"] = captured.digest

    def merge(self, *needs: str) -> Manifest:
        named = [(name, self.steps[name]) for name in needs]
        digest, self.conflicts = merge_snapshots(named, self.snapshots)
        return Snapshots(self.snapshots.objects).load(digest)

    def step(self, name: str, needs: Sequence[str], **files: str | None) -> None:
        """Run a step that writes these files, and removes those that are None."""
        before = self.merge(*needs)
        restore(before, self.root / name, Index(), self.snapshots)
        for path, data in files.items():
            if data is None:
                (self.root / name / path).unlink()
            else:
                write_file(self.root / name / path, File(data.encode()))
        captured = capture_all(self.root / name, self.snapshots, before)
        self.steps[name] = captured.digest

    def read(self, *needs: str) -> dict[str, str]:
        """Return the files that a step with these needs would see."""
        manifest = self.merge(*needs)
        contents = self.snapshots.contents(manifest)
        return {found.path: b"".join(contents.read(found)).decode() for found in manifest.files()}


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    made = Runs(tmp_path)
    made.start({"a": File(b"0"), "b": File(b"0"), "d": FOLDER})
    return made


def test_what_two_steps_did_comes_together(runs: Runs) -> None:
    runs.step("x", ["source"], a="x")
    runs.step("y", ["source"], b=None, c="y")
    assert runs.read("x", "y") == runs.read("y", "x") == {"a": "x", "c": "y"}
    assert runs.conflicts == ()


def test_a_true_conflict_names_path_and_both_steps(runs: Runs) -> None:
    runs.step("x", ["source"], a="x")
    runs.step("y", ["source"], a="y")
    assert runs.read("x", "y")["a"] == "y"
    assert runs.conflicts == (Conflict("a", "x", "y"),)
    assert runs.read("y", "x")["a"] == "x"
    assert runs.conflicts == (Conflict("a", "y", "x"),)


def test_one_snapshot_is_its_own_merge_and_nothing_is_stored(runs: Runs) -> None:
    runs.step("x", ["source"], a="x")
    before = names_in(runs.snapshots.objects)
    for needs in (["x"], ["x", "source"], ["source", "x"], ["x", "x"]):
        assert runs.merge(*needs).digest == runs.steps["x"]
    assert names_in(runs.snapshots.objects) == before


def test_a_step_that_did_nothing_has_no_say(runs: Runs) -> None:
    runs.step("x", ["source"], a="x")
    runs.step("idle", ["source"])
    assert runs.merge("x", "idle").digest == runs.steps["x"]


def test_the_merge_knows_where_it_came_from(runs: Runs) -> None:
    runs.step("x", ["source"], a="x")
    runs.step("y", ["source"], b="y")
    assert set(runs.merge("x", "y").parents) == {runs.steps["x"], runs.steps["y"]}
    assert runs.merge("x", "y").digest == runs.merge("y", "x").digest


def test_what_a_later_step_took_back_stays_taken_back(runs: Runs) -> None:
    runs.step("x", ["source"], a="x")
    runs.step("undo", ["x"], a="0")
    runs.step("on", ["x"], b="on")
    runs.step("idle", ["source"], c="idle")
    for needs in (["undo", "on", "idle"], ["idle", "on", "undo"], ["on", "idle", "undo"]):
        assert runs.read(*needs)["a"] == "0"
        assert runs.conflicts == ()


def test_three_of_which_two_have_more_in_common(runs: Runs) -> None:
    runs.step("x", ["source"], a="x")
    runs.step("x1", ["x"], b="x1")
    runs.step("x2", ["x"], c="x2")
    runs.step("y", ["source"], e="y")
    expected = {"a": "x", "b": "x1", "c": "x2", "e": "y"}
    for needs in (["y", "x1", "x2"], ["x1", "y", "x2"], ["x2", "x1", "y"]):
        assert runs.read(*needs) == expected
        assert runs.conflicts == ()


def test_crossed_merges_without_conflict(runs: Runs) -> None:
    runs.step("x", ["source"], a="x")
    runs.step("y", ["source"], b="y")
    runs.step("p", ["x", "y"], c="p")
    runs.step("q", ["y", "x"], e="q")
    runs.step("r", ["x"], f="r")
    expected = {"a": "x", "b": "y", "c": "p", "e": "q"}
    assert runs.read("p", "q") == expected
    assert runs.read("p", "q", "r") == {**expected, "f": "r"}
    assert runs.conflicts == ()


def test_crossed_merges_that_decided_differently(runs: Runs) -> None:
    runs.step("x", ["source"], a="x", b="x")
    runs.step("y", ["source"], a="y")
    runs.step("p", ["x", "y"], c="p")
    runs.step("q", ["y", "x"], e="q")
    assert runs.read("p", "q") == {"a": "x", "b": "x", "c": "p", "e": "q"}
    assert runs.conflicts == (Conflict("a", "p", "q"),)
    runs.step("p2", ["p"], b="0")
    assert runs.read("q", "p2")["b"] == "0"
    assert runs.conflicts == (Conflict("a", "q", "p2"),)


def test_a_change_after_crossed_merges_is_one(runs: Runs) -> None:
    runs.step("x", ["source"], a="x")
    runs.step("y", ["source"], b="y")
    runs.step("p", ["x", "y"], c="p")
    runs.step("q", ["x", "y"], a="0")
    runs.step("z", ["source"], g="z")
    runs.step("s", ["p", "z"], h="s")
    assert runs.read("s", "q")["a"] == "0"
    assert runs.read("q", "s")["a"] == "0"
    assert runs.conflicts == ()


def test_strangers_have_nothing_in_common() -> None:
    snapshots = store()
    one = snapshots.save(build([Entry("a", digest=EMPTY_DIGEST)], (), {}))
    other = snapshots.save(build([Entry("b", digest=EMPTY_DIGEST)], (), {}))
    digest, conflicts = merge_snapshots([("x", one), ("y", other)], snapshots)
    assert list(snapshots.load(digest).entries) == ["a", "b"]
    assert conflicts == ()


def test_crossing_again_and_again_takes_bounded_work() -> None:
    objects = Counting()
    snapshots = Snapshots(objects)

    def save(layer: int, place: int, *parents: str) -> str:
        entries = [
            Entry("a", executable=place == 1, digest=EMPTY_DIGEST),
            Entry(f"{layer}-{place}", digest=EMPTY_DIGEST),
        ]
        return snapshots.save(build(entries, parents, {}))

    digests = [save(0, place) for place in range(3)]
    for layer in range(1, 60):
        digests = [save(layer, place, *digests) for place in range(3)]
    named = list(zip("xyz", digests, strict=True))
    digest, conflicts = merge_snapshots(named, snapshots)
    assert list(snapshots.load(digest).entries) == ["59-0", "59-1", "59-2", "a"]
    assert conflicts == (Conflict("a", "x", "y"), Conflict("a", "y", "z"))
    assert len(objects.reads) < 1000


def test_the_empty_tree_merges_too() -> None:
    assert merge([("x", EMPTY), ("y", EMPTY)], lambda _: {}).manifest == EMPTY


def test_packs_under_prefixes_stay_where_they_are() -> None:
    packs = [Pack(9, 1, 9, f"attempts/r/{name}-1") for name in "ab"]
    inputs = [
        (
            name,
            build([Entry(name, size=9, digest=name * 64, pack=name * 64)], (), {name * 64: pack}),
        )
        for name, pack in zip("ab", packs, strict=True)
    ]
    result = merge(inputs, lambda _: {})
    assert list(result.manifest.packs.values()) == packs
