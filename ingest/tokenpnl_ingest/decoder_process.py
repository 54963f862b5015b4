"""The program of a decoding process: `python -m tokenpnl_ingest.decoder_process DESCRIPTOR`."""

import sys

from tokenpnl_ingest.decoders import work

if __name__ == "__main__":
    work(int(sys.argv[1]))
