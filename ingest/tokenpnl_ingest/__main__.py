"""`python -m tokenpnl_ingest --home DIR`: the bare collector, without bookkeeper and dashboard."""

import argparse
import logging
import sys

from tokenpnl.errors import ConfigurationError, StoreHeldError, TokenpnlError
from tokenpnl_ingest.home import GRPC_PORT, HTTP_PORT, LOOPBACK, Home
from tokenpnl_ingest.serve import CollectorPorts, run_collector


def main() -> int:
    """Serve until a signal; return 0, 1 after an error, 2 when the arguments or the home cannot be used."""
    arguments = argparse.ArgumentParser(prog="python -m tokenpnl_ingest", description=__doc__)
    arguments.add_argument("--home", help="folder of the store; default $TOKENPNL_HOME, else the user's data folder")
    arguments.add_argument("--host", default=LOOPBACK, help="a loopback address")
    arguments.add_argument("--grpc-port", type=int, default=GRPC_PORT, help="0 takes a free port")
    arguments.add_argument("--http-port", type=int, default=HTTP_PORT, help="0 takes a free port")
    given = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        run_collector(Home.at(given.home), CollectorPorts(given.grpc_port, given.http_port), host=given.host)
    except (ConfigurationError, StoreHeldError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except TokenpnlError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
