"""Evidence: one append-only log a space, that anyone concerned can check without trusting the operator.

An *entry* is one canonical JSON leaf (kind, time, parties, salted *commitments*). The *tree* is RFC 6962's;
*tiles* and entry bundles are how others read it. A *checkpoint* is a signed *note* of size and root; a
*cosignature* is a witness's word that it saw the same tree; a *policy* says whose words suffice (the *quorum*).
A *receipt* proves one entry offline. *fsck* rebuilds the whole tree from its entries. Formats: C2SP signed-note,
tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof, tlog-policy. No input or output here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Checkpoint": "checkpoint",
    "parse_checkpoint": "checkpoint",
    "sign_checkpoint": "checkpoint",
    "commit": "commitments",
    "derive_salt": "commitments",
    "new_salt": "commitments",
    "open_commitment": "commitments",
    "Cosignature": "cosignature",
    "check_signature": "cosignature",
    "cosign": "cosignature",
    "ENTRY_BYTES": "entry",
    "KINDS": "entry",
    "Entry": "entry",
    "Kind": "entry",
    "decode_entry": "entry",
    "BadProof": "errors",
    "BadSignature": "errors",
    "CommitmentMismatch": "errors",
    "EvidenceError": "errors",
    "MalformedBundle": "errors",
    "MalformedCheckpoint": "errors",
    "MalformedEntry": "errors",
    "MalformedKey": "errors",
    "MalformedNote": "errors",
    "MalformedPolicy": "errors",
    "MalformedReceipt": "errors",
    "MissingHash": "errors",
    "NewerVersion": "errors",
    "QuorumMissed": "errors",
    "UnknownLog": "errors",
    "Finding": "fsck",
    "LogReaders": "fsck",
    "Report": "fsck",
    "check_log": "fsck",
    "Note": "notes",
    "NoteSignature": "notes",
    "Signer": "notes",
    "VerifierKey": "notes",
    "parse_note": "notes",
    "parse_vkey": "notes",
    "sign_note": "notes",
    "verify_note": "notes",
    "Cosigner": "policy",
    "Group": "policy",
    "LogKey": "policy",
    "Policy": "policy",
    "VerifiedCheckpoint": "policy",
    "Witness": "policy",
    "default_policy": "policy",
    "parse_policy": "policy",
    "verify_checkpoint": "policy",
    "AppendGroup": "ports",
    "HashReader": "ports",
    "LogStore": "ports",
    "TileHashes": "ports",
    "Receipt": "receipt",
    "VerifiedEntry": "receipt",
    "build_receipt": "receipt",
    "parse_receipt": "receipt",
    "verify_receipt": "receipt",
    "SubmissionBatch": "submission",
    "decode_batch": "submission",
    "open_batch": "submission",
    "sign_batch": "submission",
    "CompactRange": "tree",
    "EMPTY_ROOT": "tree",
    "consistency_proof": "tree",
    "inclusion_proof": "tree",
    "leaf_hash": "tree",
    "node_hash": "tree",
    "root_of": "tree",
    "verify_consistency": "tree",
    "verify_inclusion": "tree",
    "TileReader": "tiles",
    "format_bundle": "tiles",
    "parse_bundle": "tiles",
    "bundle_path": "tiles",
    "tile_path": "tiles",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
