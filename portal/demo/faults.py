"""`make demo-faults ARGS="registry slow"`: what is wrong with the demo's outside systems."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request

from portal.connectors.stand_ins.server import FAULTS, Fault
from portal.demo.environment import state_folder
from portal.demo.stand_ins import CONTROLS_FILE

_USAGE = "\n".join(
    [
        "make demo-faults                        how each does",
        'make demo-faults ARGS="registry slow"   lets one fail:',
        *(f"  {fault:<12} it {what}" for fault, what in FAULTS.items()),
    ]
)


def main(arguments: list[str]) -> int:
    """Without arguments tell how each does; with a system and a fault, switch it."""
    path = state_folder(os.environ) / CONTROLS_FILE
    if not path.exists():
        print("No demo has run here yet: start it with `make demo`.", file=sys.stderr)
        return 1
    controls: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    known = {fault.value for fault in Fault}
    if arguments and not (
        len(arguments) == 2 and arguments[0] in controls and arguments[1] in known
    ):
        print(_USAGE, file=sys.stderr)
        return 2
    try:
        if arguments:
            _ask(f"{controls[arguments[0]]}/fault/{arguments[1]}", "POST")
        for name, address in controls.items():
            fault = Fault(_ask(f"{address}/state", "GET")["fault"])
            print(f"{name:<12} {FAULTS[fault]:<60} {address}")
    except (urllib.error.URLError, OSError):
        print("The demo does not run: start it with `make demo`.", file=sys.stderr)
        return 1
    return 0


def _ask(address: str, method: str) -> dict[str, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by a proxy
    request = urllib.request.Request(address, method=method)  # noqa: S310 our own address
    with opener.open(request, timeout=5) as answer:
        told: dict[str, str] = json.loads(answer.read())
        return told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
