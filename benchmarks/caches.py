"""The exact LRU curve of every size against one size in libcachesim, on the same references.

`python benchmarks/caches.py [references]` prints JSON and a table: CPU seconds, medians of alternated rounds, and the
ratio to libcachesim. Without that package (PyPI `libcachesim`, GPL, never a dependency) its row is left out and the
reason is printed. `LIBCACHESIM_PYTHON` may name the interpreter of a virtual environment that has it.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tokenpnl_analytics.whatif.caching.kernel import Asked, Life
from tokenpnl_analytics.whatif.caching.queue_kernels import lru_hits
from tokenpnl_analytics.whatif.caching.stack_kernel import stack_distances

REFERENCES, ROUNDS = 10_000_000, 3
CAPACITY_SHARE = 0.1
_RECORD = np.dtype([("time", "<u4"), ("key", "<u8"), ("size", "<u4"), ("next", "<i8")])
_PEER = """
import sys, time, libcachesim
reader = libcachesim.TraceReader(trace=sys.argv[1], trace_type=libcachesim.TraceType.ORACLE_GENERAL_TRACE)
cache = libcachesim.LRU(int(sys.argv[2]))
begun = time.process_time()
cache.process_trace(reader)
print(time.process_time() - begun)
"""


def references(n: int) -> np.ndarray:
    """Return keys of a skewed popularity (Zipf 0.9 over a tenth as many objects), numbered from 0."""
    chance, n_objects = np.random.default_rng(20261124), max(n // 10, 1)
    weights = np.cumsum(1 / np.arange(1, n_objects + 1) ** 0.9)
    return chance.permutation(n_objects)[np.searchsorted(weights / weights[-1], chance.random(n))]


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that the work takes in this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def whole_curve(keys: np.ndarray, sizes: np.ndarray, n_objects: int) -> np.ndarray:
    """Return the hits at every capacity, in objects."""
    distances = stack_distances(keys, sizes, n_objects)
    return np.cumsum(np.bincount(distances[distances >= 0], minlength=n_objects + 1))


def peer(path: Path, capacity: int) -> Callable[[], float] | str:
    """Return what measures one size in libcachesim, or why it cannot be."""
    python = os.environ.get("LIBCACHESIM_PYTHON", sys.executable)
    tried = subprocess.run([python, "-c", "import libcachesim"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return (tried.stderr.strip().splitlines() or ["it cannot be imported"])[-1]
    command = [python, "-c", _PEER, str(path), str(capacity)]
    return lambda: float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def measure(n: int, folder: Path) -> tuple[dict[str, float], str | None]:
    """Return CPU seconds of each way, medians of alternated rounds, and why libcachesim is not among them."""
    keys, n_objects = references(n), max(n // 10, 1)
    sizes, capacity = np.ones(n, np.int64), max(int(n_objects * CAPACITY_SHARE), 1)
    trace = np.zeros(n, _RECORD)
    trace["key"], trace["size"], trace["next"] = keys + 1, 1, -1
    trace.tofile(folder / "trace.bin")
    asked, for_ever = Asked(keys, sizes, np.zeros(n, np.int64)), Life(2**61, refreshed=False)
    curve = whole_curve(keys, sizes, n_objects)
    assert curve[capacity] == lru_hits(asked, n_objects, capacity, for_ever).sum()
    other = peer(folder / "trace.bin", capacity)
    ways: dict[str, Callable[[], float]] = {
        "exact curve, every size": lambda: cpu_seconds(lambda: whole_curve(keys, sizes, n_objects)),
        "replay, one size": lambda: cpu_seconds(lambda: lru_hits(asked, n_objects, capacity, for_ever)),
    }
    if not isinstance(other, str):
        ways["libcachesim, one size"] = other
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, work in ways.items():
            taken[name].append(work())
    return {name: statistics.median(times) for name, times in taken.items()}, other if isinstance(other, str) else None


def main() -> None:
    """Print the times as JSON and as a table."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else REFERENCES
    with tempfile.TemporaryDirectory() as folder:
        seconds, absent = measure(n, Path(folder))
    if absent:
        print(f"libcachesim left out: {absent}; pip install libcachesim, or set LIBCACHESIM_PYTHON")
    print(json.dumps({"benchmark": "caches", "references": n, "cpu_seconds": seconds}))
    base = seconds.get("libcachesim, one size")
    print("\n| way | CPU seconds | ratio to libcachesim, one size |\n|---|---|---|")
    for name, taken in seconds.items():
        print(f"| {name} | {taken:.2f} | {'-' if base is None else f'{taken / base:.2f}'} |")


if __name__ == "__main__":
    main()
