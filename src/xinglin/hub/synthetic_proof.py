"""Whether a synthetic set that a hospital deposits is its own, and what its log entry authorised; else fails closed.

1. The data set it is offered under is this hospital's. 2. The set says that it is synthetic, of this hospital and data
set, and what paid for it. 3. A ``release-authorised`` leaf of this hospital about the set holds a commitment that the
deposit opens, the hospital's own mark, and the entry of its budget of privacy.
No agreement is asked for: a hospital publishes of its own accord, under terms of its own.
"""

from __future__ import annotations

import hashlib

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.evidence.commitments import open_commitment
from xinglin.evidence.entry import Entry
from xinglin.gate import mark_of
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied, Reason
from xinglin.stores.synthetic_archive import unpacked
from xinglin.wire.products import MADE_UP, Product, product_id
from xinglin.wire.synthetic import SyntheticManifest
from xinglin.wire.synthetic_products import MEDIA_TYPE, SyntheticDeposit, is_set_id

_AGAIN = "Deposit what the hospital's own node made: xinglin node synthesise."


def proven_set(call: SyntheticDeposit, signer: str, entry: CatalogueEntry, leaf: Entry | None) -> Product | Denied:
    """The product that a deposit is, or why it is none; ``leaf``: the log's entry that it names."""
    if entry.provider != signer or not is_set_id(call.set_id):
        return _no("hub.other_data_set", "A synthetic set is offered under terms of its own hospital's data set.")
    try:
        manifest, files = unpacked(call.content)
    except XinglinError as error:
        return _no("hub.not_proven", f"It is no synthetic set: {error.what}")
    reasons = [*_of_hospital(manifest, call, signer, entry), *_files(manifest, files), *_leaf(call, signer, leaf)]
    if reasons:
        return Denied(tuple(reasons))
    return Product(
        product=product_id(call.set_id, entry.entry_id),
        entry=entry.entry_id,
        title=call.title or f"Synthetic: {entry.title}",
        depositor=signer,
        run_id=call.set_id,
        digest=hashlib.sha256(call.content).hexdigest(),
        size_bytes=len(call.content),
        hospitals=(signer,),
        leaves=(call.leaf,),
        leaf=-1,
        at=call.at,
        media_type=MEDIA_TYPE,
        deidentified=MADE_UP,
    )


def _of_hospital(
    manifest: SyntheticManifest, call: SyntheticDeposit, signer: str, entry: CatalogueEntry
) -> list[Reason]:
    right = (manifest.run_id, manifest.node, manifest.data_set) == (call.set_id, signer, entry.name)
    if right and manifest.entry and manifest.rho_units > 0:
        return []
    return [Reason("hub.other_data_set", "The set is of another hospital or data set, or nothing paid for it.", _AGAIN)]


def _files(manifest: SyntheticManifest, files: dict[str, bytes]) -> list[Reason]:
    found = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    if found == {one.name: one.sha256 for one in manifest.files}:
        return []
    return [Reason("hub.not_proven", "The files are not those of the manifest.", _AGAIN)]


def _leaf(call: SyntheticDeposit, signer: str, leaf: Entry | None) -> list[Reason]:
    refused = [Reason("hub.no_authorisation", "The leaf that was named does not authorise these bytes.", _AGAIN)]
    if leaf is None or (leaf.kind, leaf.subject, leaf.submitter) != ("release-authorised", call.set_id, signer):
        return refused
    commitment = leaf.commitments.get("result", "")
    try:
        open_commitment(commitment, call.salt, call.content)
    except XinglinError:
        return refused
    marked = leaf.commitments.get("mark") == mark_of(call.salt, signer, commitment)
    return [] if marked and leaf.commitments.get("budget") else refused


def _no(code: str, words: str) -> Denied:
    return Denied((Reason(code, words, _AGAIN),))
