"""The child of ``spu_engine``: runs in the environment that has SPU, and imports nothing of this package.

It reads one JSON object from its standard input and writes one to its standard output.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any


def main() -> None:
    """Take part in one intersection; ``{"matches": n}``, or ``{"missing": word}`` without SPU."""
    given: dict[str, Any] = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w") as sink:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)  # the library's own log goes there
        json.dump(_said(given), sink)


def _said(given: dict[str, Any]) -> dict[str, Any]:
    try:
        spu, link, psi = (import_module(name) for name in ("spu", "spu.libspu.link", "spu.psi"))
    except ImportError as error:
        return {"missing": type(error).__name__}
    if given.get("look"):
        return {"version": spu.__version__}
    place = link.Desc()
    for name, address in zip(("learner", "helper"), given["addresses"], strict=True):
        place.add_party(name, address)
    place.connect_retry_times = 300
    place.recv_timeout_ms = given["wait_ms"]
    rank = 0 if given["learns"] else 1
    config = psi.PsiExecuteConfig(
        protocol_conf=psi.PsiProtocolConfig(
            protocol=psi.PsiProtocol.PROTOCOL_RR22, receiver_rank=0, broadcast_result=False
        ),
        input_params=psi.InputParams(path=given["items"], selected_keys=["id"], keys_unique=True),
        output_params=psi.OutputParams(path=given["matches"], disable_alignment=True),
    )
    report = psi.psi_execute(config, link.create_brpc(place, rank))
    return {"matches": report.intersection_count}


if __name__ == "__main__":
    main()
