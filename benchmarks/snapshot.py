"""How long snapshots take, measured against `tar` on the same files in the same run.

Run `python -m benchmarks.snapshot`. It prints a table to standard error and JSON to standard
output. A ratio below 1 means that the snapshot is faster than the whole tree through `tar`.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner.objects.filesystem import FilesystemStore
from runner.workspace.capture import Captured, capture
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY
from runner.workspace.restore import restore
from runner.workspace.snapshots import Snapshots

# How many files in a hundred have a size (bytes) in which range: roughly a project with its
# dependencies.
_SIZES = ((60, 200, 4_000), (35, 4_000, 16_000), (4, 16_000, 64_000), (1, 64_000, 512_000))
_PER_FOLDER = 100


def make_files(root: Path, count: int, dice: random.Random) -> list[Path]:
    """Write so many files of words below a folder, one in twenty of them incompressible."""
    words = [f"{dice.getrandbits(24):x}"[: dice.randint(2, 6)].encode() for _ in range(3000)]
    text = b" ".join(dice.choices(words, k=400_000))
    weights = [weight for weight, _, _ in _SIZES]
    paths = []
    for number in range(count):
        folder = root / f"package{number // _PER_FOLDER:03d}"
        folder.mkdir(exist_ok=True, parents=True)
        _, low, high = dice.choices(_SIZES, weights)[0]
        size = dice.randint(low, high)
        start = dice.randrange(len(text) - size)
        data = dice.randbytes(size) if number % 20 == 0 else text[start : start + size]
        path = folder / f"module{number:05d}.txt"
        path.write_bytes(data)
        paths.append(path)
    return paths


def change(paths: list[Path], part: float, dice: random.Random) -> None:
    """Change a part of the files, each a little."""
    for path in dice.sample(paths, max(1, int(len(paths) * part))):
        path.write_bytes(path.read_bytes() + b"%x" % dice.getrandbits(64))


@dataclass
class Stopwatch:
    """The best time in seconds of everything that was measured, by name."""

    best: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measure what happens in the context."""
        gc.collect()
        start = time.perf_counter()
        yield
        took = time.perf_counter() - start
        self.best[name] = min(took, self.best.get(name, took))


def measure_tar(watch: Stopwatch, tree: Path, scratch: Path) -> dict[str, int]:
    """Pack and unpack the tree with `tar`; return the sizes of the archives."""
    sizes = {}
    for name, options in _compressors().items():
        archive, copy = scratch / f"archive.{name}", scratch / f"copy.{name}"
        copy.mkdir()
        with watch.measure(f"tar+{name} create"):
            _run("tar", *options, "-cf", str(archive), "-C", str(tree), ".")
        with watch.measure(f"tar+{name} extract"):
            _run("tar", *options, "-xf", str(archive), "-C", str(copy))
        sizes[name] = archive.stat().st_size
        shutil.rmtree(copy)
    return sizes


def measure_snapshots(
    watch: Stopwatch, tree: Path, scratch: Path, edit: Callable[[], None], *, durable: bool
) -> dict[str, int]:
    """Capture and restore the tree, whole and after an edit; return what was stored, in bytes."""
    snapshots = Snapshots(FilesystemStore(scratch / "store", durable=durable))
    with watch.measure("capture all"):
        first = capture(tree, EMPTY, Index(), snapshots, ())
    copy = scratch / "copy"
    with watch.measure("restore all"):
        index = restore(first.manifest, copy, Index(), snapshots)
    settled = capture(tree, first.manifest, first.index, snapshots, (first.digest,))
    with watch.measure("capture unchanged"):
        capture(tree, settled.manifest, settled.index, snapshots, (settled.digest,))
    edit()
    with watch.measure("capture changed"):
        second = capture(tree, first.manifest, settled.index, snapshots, (first.digest,))
    with watch.measure("restore changed"):
        restore(second.manifest, copy, index, snapshots)
    with watch.measure("load manifest"):
        Snapshots(snapshots.objects).load(second.digest)
    return _stored(first, second)


def report(watch: Stopwatch) -> list[dict[str, object]]:
    """Return a row for each measured act: seconds, and the ratio to each `tar` of the same kind."""
    rows: list[dict[str, object]] = []
    for name, seconds in watch.best.items():
        row: dict[str, object] = {"what": name, "seconds": round(seconds, 4)}
        kind = "extract" if name.startswith("restore") else "create"
        for other, baseline in watch.best.items():
            if other.startswith("tar") and other.endswith(kind) and not name.startswith("tar"):
                row[f"ratio to {other.split()[0]}"] = round(seconds / baseline, 4)
        rows.append(row)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--changed", type=float, default=0.01, help="part of the files")
    parser.add_argument("--repeat", type=int, default=3, help="the best time counts")
    parser.add_argument("--durable", action="store_true", help="wait for the disk, as no tar does")
    options = parser.parse_args(arguments)
    dice = random.Random(1)
    watch = Stopwatch()
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        paths = make_files(tree, options.files, dice)
        sizes["files"] = sum(path.stat().st_size for path in paths)
        for number in range(options.repeat):
            scratch = Path(folder, str(number))
            scratch.mkdir()
            sizes |= measure_tar(watch, tree, scratch)
            sizes |= measure_snapshots(
                watch,
                tree,
                scratch,
                lambda: change(paths, options.changed, dice),
                durable=options.durable,
            )
            shutil.rmtree(scratch)
    rows = report(watch)
    for row in rows:
        ratios = "  ".join(f"{key} {value:>8}" for key, value in row.items() if "ratio" in key)
        print(f"{row['what']:<20} {row['seconds']:>8} s  {ratios}", file=sys.stderr)
    print(json.dumps({"options": vars(options), "bytes": sizes, "rows": rows}, indent=1))


def _compressors() -> dict[str, tuple[str, ...]]:
    """Return what `tar` can compress with here, each with its options."""
    found: dict[str, tuple[str, ...]] = {"gzip": ("--gzip",)}
    if shutil.which("zstd"):
        found["zstd"] = ("--use-compress-program", "zstd")
    return found


def _stored(first: Captured, second: Captured) -> dict[str, int]:
    return {"first snapshot": first.stored_bytes, "second snapshot": second.stored_bytes}


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
