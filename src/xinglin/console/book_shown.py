"""The newest checkpoint of the log as pages show it: who vouches for it, and how old it is."""

from __future__ import annotations

import msgspec

from xinglin.evidence.notes import Note
from xinglin.evidence.policy import verify_checkpoint
from xinglin.kernel.instants import Instant
from xinglin.wire.record import SpaceRecord


class Cosigned(msgspec.Struct, frozen=True):
    """One cosignature that holds: the witness's name in the policy, its participant's label, and when it signed."""

    name: str
    label: str
    at: Instant


class CheckpointShown(msgspec.Struct, frozen=True):
    """The newest checkpoint that the policy accepted.

    ``note``: its text with every signature. ``missing``: witnesses of the policy that did not sign it. ``attested``:
    when a whole quorum had; ``age_ms``: how long ago. ``root``: 64 hexadecimal digits.
    """

    note: str
    origin: str
    size: int
    root: str
    cosigned: tuple[Cosigned, ...]
    missing: tuple[str, ...]
    attested: Instant
    age_ms: int
    fork_protection: bool
    policy: str


def shown_of(record: SpaceRecord, note: Note, size: int, now: Instant) -> CheckpointShown:
    """A checkpoint that the policy of ``record`` accepts; raises ``EvidenceError`` for any other."""
    known = record.directory.participants

    def label(did: str) -> str:
        return known[did].name if did in known else did

    verified = verify_checkpoint(record.policy, note)
    times = verified.cosigned_at_s
    cosigned = (Cosigned(name, label(name), at * 1000) for name, at in sorted(times.items()))
    missing = (each.name for each in record.policy.witnesses if each.name not in times)
    attested = verified.attested_at_s * 1000
    return CheckpointShown(
        note=note.to_text(),
        origin=verified.checkpoint.origin,
        size=size,
        root=verified.checkpoint.root.hex(),
        cosigned=tuple(cosigned),
        missing=tuple(label(name) for name in missing),
        attested=attested,
        age_ms=max(0, now - attested),
        fork_protection=verified.fork_protection,
        policy=record.policy_text,
    )
