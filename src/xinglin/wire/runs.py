"""Naming a run, by its signed request, so that one request is one run everywhere; and what stopped one."""

from __future__ import annotations

import base64
import hashlib
import re

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.trust.envelope import Signed
from xinglin.wire.channel import Attestation, RunStopped

_RUN_ID = re.compile(r"run-[a-z2-7]{26}\Z")


def is_run_id(text: str) -> bool:
    """Whether it is written as ``run_id_of`` writes ids: what others call a run is shown and used as no other text."""
    return _RUN_ID.match(text) is not None


def run_id_of(request: Signed) -> str:
    """``run-`` and 26 characters of base 32 over the request's signed bytes."""
    digest = hashlib.sha256(b"xinglin:run\0" + request.payload).digest()[:16]
    return "run-" + base64.b32encode(digest).decode().rstrip("=").lower()


def refusal_of(report: RunStopped, node: str) -> tuple[Signed, Attestation] | None:
    """What ``node`` signed, where its own rules stopped the run; None where something broke, or nothing can be read.

    Its signature is not verified here.
    """
    try:
        signed = Signed.from_bytes(report.attestation)
        said = msgspec.json.decode(signed.payload, type=Attestation)
    except (XinglinError, msgspec.DecodeError):
        return None
    return (signed, said) if is_refusal(said, report.run_id, node) else None


def is_refusal(said: Attestation, run_id: str, node: str) -> bool:
    """Whether this is one node's own "no" to this run, before there was an outcome to agree on."""
    return (said.kind, said.run_id, said.node) == ("refused", run_id, node) and bool(said.reasons)
