"""What an account asked: kept in its folder before it is sent, so that a run can be taken up again and judged."""

from __future__ import annotations

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.sdk.account import Account
from xinglin.sdk.errors import NotVerified
from xinglin.stores.tls import write_private
from xinglin.terms.request import Plan, UseRequest
from xinglin.trust.envelope import Signed
from xinglin.wire.runs import run_id_of

RUNS_FOLDER = "runs"


class Asked(msgspec.Struct, frozen=True):
    """What an account keeps of a run that it asked for: the signed request and the plan it names."""

    request: Signed
    plan: bytes
    version: int = 1

    def opened(self) -> Plan:
        """The plan."""
        return decode_json(self.plan, Plan)


def keep(account: Account, run_id: str, asked: Asked) -> None:
    """Keep what was asked in the account's folder."""
    folder = account.folder / RUNS_FOLDER
    folder.mkdir(exist_ok=True, mode=0o700)
    write_private(folder / f"{run_id}.json", msgspec.json.encode(asked))


def kept(account: Account, run_id: str) -> Asked | None:
    """What this account asked under ``run_id``; None where the folder does not know it, ``NotVerified`` if altered."""
    file = account.folder / RUNS_FOLDER / f"{run_id}.json"
    if not run_id.startswith("run-") or not run_id[4:].isalnum() or not file.exists():
        return None
    try:
        asked = decode_json(file.read_bytes(), Asked)
        request = decode_json(asked.request.payload, UseRequest)
        same = run_id_of(asked.request) == run_id and asked.opened().digest() == request.plan
    except XinglinError as error:
        raise NotVerified(f"The record of {run_id} cannot be read.", why=error.what) from error
    if not same:
        raise NotVerified(f"The record of {run_id} is not of that run.")
    return asked


def asked_runs(account: Account) -> list[str]:
    """Ids of the runs that this account's folder asked for, newest first."""
    files = (account.folder / RUNS_FOLDER).glob("run-*.json")
    return [file.stem for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True)]
