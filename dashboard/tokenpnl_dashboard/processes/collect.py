"""The collector's process: receivers, journal and store, with the bookkeeper on a thread beside them."""

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tokenpnl.errors import ConfigurationError, StoreHeldError
from tokenpnl_ingest.home import LOOPBACK, Home
from tokenpnl_ingest.loader import OnLoaded
from tokenpnl_ingest.serve import CollectorPorts, run_collector
from tokenpnl_ingest.store import Store


@contextmanager
def bookkeeping(store: Store) -> Iterator[OnLoaded]:
    """Keep the books of the store as long as the block runs, and finish them at its end."""
    from tokenpnl_analytics.ledger import Bookkeeper
    from tokenpnl_dashboard.rules.instructions import instructions_of

    with instructions_of(store.home) as instructions:
        keeper = Bookkeeper(store, instructions).start()
        try:
            yield keeper.wake
        finally:
            keeper.close()
            keeper.catch_up()


def main() -> int:
    """Serve until a signal; return 2 when the arguments or the home cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m tokenpnl_dashboard.processes.collect", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of the store")
    parser.add_argument("--host", default=LOOPBACK, help="a loopback address")
    parser.add_argument("--grpc-port", type=int, required=True, help="0 takes a free port")
    parser.add_argument("--http-port", type=int, required=True, help="0 takes a free port")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        ports = CollectorPorts(asked.grpc_port, asked.http_port)
        run_collector(Home.at(asked.home), ports, bookkeeping=bookkeeping, host=asked.host)
    except (ConfigurationError, StoreHeldError) as error:
        sys.stderr.write(f"tokenpnl: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
