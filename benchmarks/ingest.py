"""Ingest end to end: spans acknowledged and queryable a second, memory, CPU, and the latency of the ack.

`python benchmarks/ingest.py` starts a collector (with the bookkeeper; `--bare` without) and a load process for each
measurement, in folders of their own, and prints JSON and a table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
import pyarrow as pa

from tokenpnl_dashboard.processes.serve import COLLECTOR_ENVIRONMENT
from tokenpnl_ingest.home import Home, Running, running_collector

SPANS = 512
WARM = 16


def start(home: Home, module: str) -> subprocess.Popen[bytes]:
    """Start a collector on free ports."""
    return subprocess.Popen(
        [sys.executable, "-m", module, "--home", str(home.path), "--grpc-port", "0", "--http-port", "0"],
        env={**COLLECTOR_ENVIRONMENT, **os.environ},
    )


def wait_until_served(home: Home, process: subprocess.Popen[bytes]) -> Running:
    """Return the addresses once the collector listens."""
    while process.poll() is None:
        found = running_collector(home)
        if found is not None and found.pid == process.pid:
            return found
        time.sleep(0.05)
    raise RuntimeError(f"the collector ended with {process.returncode}")


def ask(running: Running, question: str, **params: object) -> pa.Table:
    """Ask the read API."""
    body = json.dumps({"name": question, "params": params}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{running.http}/api/query", body)) as answer:
        return pa.ipc.open_stream(answer.read()).read_all()


def wait_until(running: Running, table: str, rows: int) -> float:
    """Return the moment at which the table has so many rows."""
    while ask(running, "count", name=table)["rows"][0].as_py() < rows:
        time.sleep(0.05)
    return time.perf_counter()


def wait_until_booked(running: Running) -> float:
    """Return the moment at which the books cover every loaded batch."""
    while True:
        mark = ask(running, "table", name="booked", order_by="batch_no", descending=True, limit=1)
        if mark.num_rows and mark["batch_no"][0].as_py() >= ask(running, "version")["loaded_batch_no"][0].as_py():
            return time.perf_counter()
        time.sleep(0.05)


def processes(pid: int) -> list[psutil.Process]:
    """Return the collector's process and its decoders."""
    return [psutil.Process(pid), *psutil.Process(pid).children()]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of the collector and its decoders so far."""
    return sum(sum(process.cpu_times()[:2]) for process in processes(pid))


def peak_rss_mib(pid: int) -> int:
    """Return the highest resident size of a process so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024


def measure(protocol: str, module: str, *, batches: int, rate: float) -> dict[str, object]:
    """Return one measurement with a fresh store."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home.at(folder)
        collector = start(home, module)
        try:
            running = wait_until_served(home, collector)
            address = running.grpc if protocol == "grpc" else running.http
            command = [sys.executable, str(Path(__file__).with_name("otlp_load.py")), "--protocol", protocol]
            command += ["--address", address, "--batches", str(batches), "--spans-per-second", str(rate)]
            command += ["--warm-batches", str(WARM)]
            load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert load.stdin is not None
            assert load.stdout is not None
            ready = json.loads(load.stdout.readline())
            wait_until(running, "spans", WARM * SPANS)
            stored = ask(running, "count", name="spans")["rows"][0].as_py()
            before = cpu_seconds(collector.pid)
            begun = time.perf_counter()
            load.stdin.write("\n")
            load.stdin.close()
            report = json.loads(load.stdout.readline())
            spans = batches * SPANS
            queryable = wait_until(running, "spans", stored + spans) - begun
            booked = None if module == "tokenpnl_ingest" else wait_until_booked(running) - begun
            cpu = cpu_seconds(collector.pid) - before
            peaks = [peak_rss_mib(process.pid) for process in processes(collector.pid)]
        finally:
            collector.terminate()
            collector.wait()
    return {
        "protocol": protocol,
        "offered_spans_per_s": rate or "as fast as acknowledged",
        "spans": spans,
        "bytes_per_span": round(ready["bytes_per_span"]),
        "acked_spans_per_s": round(spans / report["seconds"]),
        "queryable_spans_per_s": round(spans / queryable),
        "booked_spans_per_s": booked and round(spans / booked),
        "spans_per_cpu_s": round(spans / cpu),
        "peak_rss_mib": "+".join(str(peak) for peak in peaks),
        "ack_p50_ms": round(report["ack_p50_ms"], 1),
        "ack_p99_ms": round(report["ack_p99_ms"], 1),
        "ack_max_ms": round(report["ack_max_ms"], 1),
    }


def table(rows: list[dict[str, object]]) -> str:
    """Return the measurements as a Markdown table, one column each; memory is of the main process and the decoders."""
    head, *lines = ([key, *(str(row[key]) for row in rows)] for key in rows[0])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *lines))


def main() -> None:
    """Measure both protocols at full speed and at 5,000 spans a second."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bare", action="store_true", help="without the bookkeeper")
    arguments.add_argument("--batches", type=int, default=300, help=f"of {SPANS} spans")
    arguments.add_argument("--paced-batches", type=int, default=200)
    arguments.add_argument("--protocols", default="http,grpc")
    given = arguments.parse_args()
    module = "tokenpnl_ingest" if given.bare else "tokenpnl_dashboard.processes.collect"
    rows = []
    for protocol in given.protocols.split(","):
        rows.append(measure(protocol, module, batches=given.batches, rate=0.0))
        rows.append(measure(protocol, module, batches=given.paced_batches, rate=5000.0))
    print(json.dumps(rows, indent=2))
    print(table(rows))


if __name__ == "__main__":
    main()
