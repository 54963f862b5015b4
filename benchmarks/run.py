"""Run every benchmark, one after the other, and write what they print to RESULTS.md with date and conditions."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent
SCRIPTS = {
    "ingest.py": "Ingest end to end, bookkeeper included",
    "bookkeeping.py": "Bookkeeping: resolve, price, classify",
    "caches.py": "Exact LRU curve of every size against one size in libcachesim",
    "repricing.py": "Re-pricing: sums first against call by call",
    "sdk_overhead.py": "SDK overhead against plain opentelemetry-sdk",
    "bootstrap.py": "1,000 bootstrap replicates of a million runs",
    "interval_coverage.py": "Coverage of the interval of cost per success",
    "off_policy_coverage.py": "Coverage of off-policy answers",
    "looks.py": "False PASS under daily looks",
    "late_outcomes.py": "Late outcomes: settled and expected against the truth",
}
QUICK = {"interval_coverage.py": "1000", "off_policy_coverage.py": "20", "looks.py": "200", "late_outcomes.py": "5"}
"""Rounds of the simulations here; a percentage of a study takes the default of its script."""
LIBRARIES = ("duckdb", "polars", "pyarrow", "protobuf", "grpcio", "aiohttp", "opentelemetry-sdk")


def tables(printed: str) -> str:
    """Return the Markdown tables of what a script printed."""
    return "\n".join(line for line in printed.splitlines() if line.startswith("|"))


def conditions() -> str:
    """Return date, machine and versions in one line."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, {libraries}; load average at the end {load}."
    )


def main() -> int:
    """Run, print, write; return 1 when a script failed."""
    parts, failed = [], 0
    for script, title in SCRIPTS.items():
        print(f"== {script}", flush=True)
        rounds = [QUICK[script]] if script in QUICK else []
        done = subprocess.run([sys.executable, FOLDER / script, *rounds], capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr, sep="\n")
        failed += done.returncode != 0
        parts.append(
            f"## {title}\n\n`{' '.join(['python', f'benchmarks/{script}', *rounds])}`\n\n{tables(done.stdout)}\n"
        )
    head = "# Results\n\nWritten by `make bench`; compare ratios of one run, not seconds of two machines.\n"
    (FOLDER / "RESULTS.md").write_text("\n".join([head, f"Conditions: {conditions()}\n", *parts]))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
