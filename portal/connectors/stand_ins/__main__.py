"""`python -m portal.connectors.stand_ins registry --port 9410 …`: one of the two, until ended."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from portal.connectors.stand_ins.laboratory import Laboratory
from portal.connectors.stand_ins.registry import Registry
from portal.connectors.stand_ins.server import StandIn


def main() -> None:
    """Run a stand-in; its faults are switched at the control port."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=["registry", "laboratory"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control-port", type=int, required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--keep-in", type=Path)
    chosen = parser.parse_args()
    service = Registry(chosen.keep_in) if chosen.name == "registry" else Laboratory()
    stand_in = StandIn(
        chosen.name,
        service,
        token=chosen.token_file.read_text(encoding="utf-8").strip(),
        port=chosen.port,
        control_port=chosen.control_port,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stand_in.stop())
    stand_in.start()
    stand_in.wait()


if __name__ == "__main__":
    main()
