"""Record the sample traces: five synthetic workflows, run through our own SDK under a simulated clock.

python sample_traces/make.py              # writes sample_traces/*.otlp.jsonl.gz, byte for byte what is there
python sample_traces/make.py --out DIR
"""

import argparse
from pathlib import Path
from typing import Final

from flow_catalogue import catalogue_tagging
from flow_contracts import contract_review
from flow_invoices import invoice_extraction
from flow_support import support_reply
from flow_triage import mail_triage
from recording import Flow, record
from tokenpnl.testing import write_otlp_json
from world import CATALOGUE, CONTRACTS, INVOICES, MAIL, SUPPORT, Workload

FLOWS: Final[tuple[tuple[Workload, Flow], ...]] = (
    (SUPPORT, support_reply),
    (CONTRACTS, contract_review),
    (INVOICES, invoice_extraction),
    (CATALOGUE, catalogue_tagging),
    (MAIL, mail_triage),
)


def make(folder: Path) -> list[Path]:
    """Record every workflow into a file of its own and return the files."""
    files = [folder / f"{workload.name}.otlp.jsonl.gz" for workload, _ in FLOWS]
    for file, (workload, flow) in zip(files, FLOWS, strict=True):
        write_otlp_json(file, record(workload, flow))
    return files


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description="Record the synthetic sample traces.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    make(parser.parse_args().out)


if __name__ == "__main__":
    main()
