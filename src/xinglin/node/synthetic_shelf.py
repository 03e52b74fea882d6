"""Synthetic sets for the shelf: made by the hospital of its own data, for everybody, and published as products.

What such a set costs is taken from everybody's budget of the data set, in a scope of its own; persons who object to
research in any way are not in it. The same question is the same set, at no further cost, and a stop in between is
taken up by asking again. Each shelf set carries one mark, the shelf's: a copy that comes to light names the product.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.analysis.synthetic import shape_of
from xinglin.catalogue import DataSetDescription, ExposedTable
from xinglin.catalogue.entry import entry_id
from xinglin.evidence.commitments import commit, derive_salt
from xinglin.evidence.entry import decode_entry
from xinglin.gate import mark_of
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.budgets import decimal_up, rho_text
from xinglin.node.consent import published_persons
from xinglin.node.extract_leak import MARKS_SECRET
from xinglin.node.hub_answers import ask_hub
from xinglin.node.listings import Listings
from xinglin.node.synthetic import KeptModel
from xinglin.node.wiring import Node
from xinglin.privacy.noise.accounting import rho_for_epsilon, to_epsilon
from xinglin.privacy.noise.budget import EVERYBODY, Charged
from xinglin.stores.extract_node import MarkRow
from xinglin.stores.synthetic_archive import packed, unpacked
from xinglin.terms.noise_asked import DEFAULT_DELTA, RHO_UNIT, exact
from xinglin.terms.policy import Policy
from xinglin.terms.synthetic import SyntheticAsk, synthetic_faults
from xinglin.terms.wording import duty_text
from xinglin.trust.envelope import sign
from xinglin.wire.errors import Refused
from xinglin.wire.extracts import ExtractFile
from xinglin.wire.products import MADE_UP, PRODUCT_BYTES, Product
from xinglin.wire.synthetic import SyntheticManifest
from xinglin.wire.synthetic_products import SYNTHETIC_CONTEXT, SyntheticDeposit, is_set_id

if TYPE_CHECKING:
    from xinglin.lake.model import Snapshot
    from xinglin.node import engine_messages as em

SHELF = "shelf"
"""What sets for everybody say that they were made for."""
SCOPE = "~shelf"
"""The scope that they are charged to, beside everybody's own: no study is called so (``is_name``)."""
GRADES = ("L1", "L2")
TOLD = ("distances", "uses", "detection")
"""Figures of the report on the data that a hospital may publish with a set; what attacks find stays inside."""
PUBLISHED_FILE = "published.json"


class _Asked(msgspec.Struct, frozen=True):
    """What the officer asked for, admitted: the question's digest determines the model."""

    described: DataSetDescription
    ask: SyntheticAsk
    sql: str
    at: Instant
    query: str
    session: str
    loaded: Any


class NodeShelf:
    """Looks, makes, tells and publishes; one call at a time from the hospital's desk."""

    def __init__(self, node: Node) -> None:
        self._node, self._vault = node, node.synthetic.vault
        self._engine = node.extract_engine.engine

    # --- what the desk asks ------------------------------------------------------------------

    async def look(self, given: Mapping[str, str]) -> dict[str, object]:
        """What a set would cost and how far off it would be; charges nothing, measures nothing."""
        asked = await self._asked(given)
        await self._engine.unload(asked.session)
        return self._told(asked)

    async def make(self, given: Mapping[str, str]) -> dict[str, object]:
        """Pay, measure, draw, mark, judge and keep a set; the same question is the same set. ``Refused`` says why not.

        1. pay, irrevocably; 2. measure, keep the model, name it in the ledger; 3. judge; 4. draw; 5. keep.
        """
        told = _to_tell(given)
        asked = await self._asked(given)
        try:
            kept, model = await self._model(asked)  # 1, 2
            set_id = _set_id(kept.model, asked.ask.rows, told)
            if not self._vault.has(_archive(set_id)):
                seed = self._seed(kept, asked.ask)
                report = await self._judge(asked, model, seed, set_id)  # 3
                made = await self._drawn(asked, kept, model, set_id, seed)  # 4
                content = packed(*_with_published(made, report, told))
                await asyncio.to_thread(self._vault.keep, _archive(set_id), content)  # 5
        finally:
            await self._engine.unload(asked.session)
        return self.show({"set": set_id}) | {"cost_rho": rho_text(kept_units(asked.ask))}

    def sets(self) -> list[dict[str, object]]:
        """Every set that lies here, without its report."""
        ids = [name[len("shelf/") : -len(".zip")] for name in self._vault.names() if name.startswith("shelf/shelf-")]
        return [self._shown(one) for one in sorted(ids) if is_set_id(one) and self._vault.has(_archive(one))]

    def show(self, given: Mapping[str, str]) -> dict[str, object]:
        """A set and its full report on the data: for the hospital's own eyes."""
        found = self._shown(self._known(given))
        name = _report(str(found["set"]))
        report = decode_json(self._vault.open(name), dict) if self._vault.has(name) else {}
        return {**found, "inside": report}

    async def publish(self, given: Mapping[str, str]) -> dict[str, object]:
        """Authorise a set in the log, and deposit it as a product under the data set's published terms."""
        set_id = self._known(given)
        content = self._vault.open(_archive(set_id))
        PRODUCT_BYTES.check(len(content))
        manifest, _ = unpacked(content)
        salt = hmac.new(self._vault.secret("shelf salts"), set_id.encode(), hashlib.sha256).digest()
        leaf = await self._authorised(set_id, manifest, content, salt)
        node = self._node
        entry = entry_id(node.keys.did, manifest.data_set)
        call = SyntheticDeposit(set_id, entry, given.get("title", ""), content, salt, leaf, node.clock())
        body = sign(node.keys, SYNTHETIC_CONTEXT, call).to_bytes()
        request = node.client.build_request("POST", "/v1/products/synthetic", content=body)
        product = await ask_hub(node.client, request, Product)
        return {**msgspec.to_builtins(product), "catalog_id": product.catalog_id}

    # --- 1 and 2 -----------------------------------------------------------------------------

    async def _model(self, asked: _Asked) -> tuple[KeptModel, bytes]:
        from xinglin.node import engine_messages as em

        budgets, name = self._node.desk.budgets, asked.described.name
        run = f"{SHELF}-{_short(asked.query)}"
        paid = budgets.pay_own(name, SCOPE, run, asked.query, kept_units(asked.ask))
        if isinstance(paid, Denied):
            raise Refused(paid.reasons)
        if isinstance(paid, Charged):
            fitted = await self._engine.fit(em.Fit(asked.session, asked.ask, self._vault.secret("held out")))
            if isinstance(fitted, Denied):
                raise Refused(fitted.reasons)
            return _held(self._node.synthetic.keep_model(name, run, fitted, paid.entry.hash))
        return _held(self._node.synthetic.opened(decode_json(paid.release, KeptModel)))

    # --- 3 and 4 -----------------------------------------------------------------------------

    async def _drawn(self, asked: _Asked, kept: KeptModel, model: bytes, set_id: str, seed: bytes) -> em.Drawn:
        from xinglin.node import engine_messages as em

        store, keys, ask = self._node.extracts.store, self._node.keys, asked.ask
        store.add_mark(MarkRow(set_id, SHELF, keys.did, self._node.clock()))
        mark = store.mark_of(set_id)
        if mark is None:
            raise Refused(deny("synthetic.no_mark", "The mark cannot be kept.", "Look at the disk.").reasons)
        draft = SyntheticManifest(
            run_id=set_id, study=SHELF, data_set=asked.described.name, node=keys.did, recipient=keys.did,
            agreement=mark.agreement, as_of=asked.at, method=ask.method, rho_units=ask.rho_units,
            epsilon=decimal_up(to_epsilon(ask.rho_units, exact(ask.delta))), delta=ask.delta,
            rows_per_person=ask.rows_per_person, unit="", entry=kept.entry, model=kept.model, tables=(), files=(),
            released=mark.at, held_out=0,
        )  # fmt: skip
        secret = self._vault.secret(MARKS_SECRET)
        made = await self._engine.draw(em.Draw(asked.session, ask, model, seed, secret, draft))
        if isinstance(made, Denied):
            raise Refused(made.reasons)
        for number, plan in enumerate(made.marked.values()):
            row = mark if not number else msgspec.structs.replace(mark, run=f"{set_id}/{number}")
            store.add_mark(row)
            store.set_mark_plan(row.run, plan)
        return made

    async def _judge(self, asked: _Asked, model: bytes, seed: bytes, set_id: str) -> dict[str, Any]:
        from xinglin.node import engine_messages as em

        secret = self._vault.secret("held out")
        found = await self._engine.judge(em.Judge(asked.session, asked.ask, model, seed, secret))
        if isinstance(found, Denied):
            raise Refused(found.reasons)
        await asyncio.to_thread(self._vault.keep, _report(set_id), found)
        report: dict[str, Any] = decode_json(found, dict)
        return report

    def _seed(self, kept: KeptModel, ask: SyntheticAsk) -> bytes:
        about = f"{kept.model}:{ask.rows}".encode()
        return hmac.new(self._vault.secret("shelf rows"), about, hashlib.sha256).digest()

    # --- what is asked for -------------------------------------------------------------------

    async def _asked(self, given: Mapping[str, str]) -> _Asked:
        """The question, its SQL admitted over all that the data set publishes; ``Refused`` with every reason."""
        node = self._node
        described = node.tables.published.get(given.get("data_set", ""))
        if described is None:
            raise Refused(deny("node.not_published", "Such a data set is not published here.", "").reasons)
        ask = _ask_of(given, node.keys.did)
        tables = exposed_tables(described)
        now = node.clock()
        persons = await asyncio.to_thread(published_persons, node.folder, now)
        session = f"{SHELF}-{_short(canonical_digest({'ask': ask, 'sql': given.get('sql', '')}))}"
        loading = node.desk.preparations.load_own
        snapshot, loaded = await loading(session, tables, given.get("sql", ""), persons, now)
        if isinstance(loaded, Denied):
            raise Refused(loaded.reasons)
        heavy = tuple(reason for one in loaded.fan_out for reason in one.reasons())
        if heavy:
            raise Refused(heavy)
        shape = shape_of(ask, loaded.columns)
        if isinstance(shape, Denied):
            raise Refused(shape.reasons)
        query = _query(described, ask, loaded.digest, snapshot, canonical_digest(persons))
        return _Asked(described, ask, given.get("sql", ""), now, query, session, loaded)

    def _told(self, asked: _Asked) -> dict[str, object]:
        from xinglin.privacy.synthesis import Schema
        from xinglin.privacy.synthesis.quality import expected

        shape, ask, name = shape_of(asked.ask, asked.loaded.columns), asked.ask, asked.described.name
        everybody = self._node.desk.budgets.scopes(name, EVERYBODY)[1]
        error = expected(shape, ask.rho_units, ask.rows_per_person, ask.method) if isinstance(shape, Schema) else None
        return {
            "data_set": name,
            "rows": ask.rows,
            "columns": [one.name for one in asked.loaded.columns],
            "cost_rho": rho_text(ask.rho_units),
            "epsilon": decimal_up(to_epsilon(ask.rho_units, exact(ask.delta))),
            "delta": ask.delta,
            "everybody_left_rho": rho_text(everybody.left),
            "fits": everybody.left // ask.rho_units,
            "sd_of_one_column": error.alone if error is not None else 0.0,
            "sd_of_several": error.together if error is not None else 0.0,
            "licence": self._licence(name),
            "charged": False,
        }

    def _licence(self, data_set: str) -> list[str]:
        """What the data set's published terms ask for; a price is the duty ``pay``. Empty where none are published."""
        listing = Listings(self._node.folder, self._node.tables, self._node.house).kept().get(data_set)
        policy = listing.policy if listing is not None else None
        if not isinstance(policy, Policy):
            return []
        rules = [f"{rule.action}: {', '.join(map(duty_text, rule.duties)) or 'no duty'}" for rule in policy.permissions]
        return [*rules, *map(duty_text, policy.duties)]

    # --- what lies here ----------------------------------------------------------------------

    def _known(self, given: Mapping[str, str]) -> str:
        set_id = given.get("set", "")
        if not is_set_id(set_id) or not self._vault.has(_archive(set_id)):
            words = "No such set lies on the shelf."
            raise Refused(deny("synthetic.unknown", words, "See: xinglin node shelf.").reasons, status=404)
        return set_id

    def _shown(self, set_id: str) -> dict[str, object]:
        content = self._vault.open(_archive(set_id))
        manifest, files = unpacked(content)
        return {
            "set": set_id,
            "data_set": manifest.data_set,
            "rows": manifest.tables[0].rows,
            "epsilon": manifest.epsilon,
            "delta": manifest.delta,
            "rho": rho_text(manifest.rho_units),
            "size_bytes": len(content),
            "entry": manifest.entry,
            "deidentified": MADE_UP,
            "told": decode_json(files["report.json"], dict),
        }

    async def _authorised(self, set_id: str, manifest: SyntheticManifest, content: bytes, salt: bytes) -> int:
        """The leaf that authorises the set, appended once."""
        evidence, did = self._node.evidence, self._node.keys.did
        row = next((one for one in self._node.database.receipts(set_id) if one.kind == "release-authorised"), None)
        if row is not None:
            return await evidence.record(decode_entry(row.entry))
        commitment = commit(salt, content)
        fresh = evidence.entry("release-authorised", set_id, (did,))
        said = {
            "result": commitment,
            "mark": mark_of(salt, did, commitment),
            "budget": commit(derive_salt(salt, "budget"), manifest.entry),
        }
        return await evidence.record(msgspec.structs.replace(fresh, commitments=said))


def _held(found: tuple[KeptModel, bytes] | Denied) -> tuple[KeptModel, bytes]:
    if isinstance(found, Denied):
        raise Refused(found.reasons)
    return found


def exposed_tables(described: DataSetDescription) -> tuple[ExposedTable, ...]:
    """Every data column that is published at grade L2 or below, as a study's views have them; free text never."""
    found = []
    for table in described.tables:
        open_ones = [one.name for one in table.columns if one.role == "data" and one.kind != "text"]
        grades = {name: described.grade_of(table.name, name) for name in open_ones}
        grades = {name: grade for name, grade in grades.items() if grade in GRADES}
        columns = tuple(one for one in table.columns if one.name in grades)
        if columns:
            found.append(ExposedTable(table.name, columns, table.patient_key, {k: str(v) for k, v in grades.items()}))
    return tuple(found)


def kept_units(ask: SyntheticAsk) -> int:
    """What a set costs, in units of 10⁻¹² rho."""
    return ask.rho_units


def _ask_of(given: Mapping[str, str], did: str) -> SyntheticAsk:
    try:
        rows, most = int(given.get("rows", "0")), int(given.get("rows_per_person", "1"))
    except ValueError as error:
        words = "Rows are a whole number."
        raise Refused(deny("terms.rows", words, "State how many.").reasons) from error
    delta = exact(given.get("delta", DEFAULT_DELTA))
    rho, epsilon = given.get("rho", ""), given.get("epsilon", "")
    if bool(rho) == bool(epsilon):
        raise Refused(deny("terms.noise", "State epsilon or rho, one of them.", "Such as --epsilon 1.").reasons)
    units = int(exact(rho) * RHO_UNIT) if rho else rho_for_epsilon(exact(epsilon), delta)
    ask = SyntheticAsk(did, units, rows, given.get("method", "aim"), str(delta), most)
    reasons = synthetic_faults(ask)
    if reasons:
        raise Refused(reasons)
    return ask


def _query(described: DataSetDescription, ask: SyntheticAsk, admitted: str, snapshot: Snapshot, persons: str) -> str:
    """The digest of all that determines the model."""
    tables = msgspec.to_builtins(snapshot.tables)
    about = {"data_set": described.name, "ask": ask.question(), "sql": admitted, "tables": tables, "persons": persons}
    return canonical_digest(about)


def _short(digest: str) -> str:
    return base64.b32encode(bytes.fromhex(digest.removeprefix("sha256:"))[:16]).decode().rstrip("=").lower()


def _set_id(model: str, rows: int, told: tuple[str, ...]) -> str:
    about = canonical_bytes({"model": model, "rows": rows, "told": told})
    return f"{SHELF}-{_short(hashlib.sha256(about).hexdigest())}"


def _to_tell(given: Mapping[str, str]) -> tuple[str, ...]:
    """Which figures of the report on the data the hospital's people decided to publish with the set."""
    wanted = tuple(sorted({one for one in given.get("tell", "").split(",") if one}))
    if not set(wanted) <= set(TOLD):
        words = "Such a figure is not published with a set."
        raise Refused(deny("synthetic.unknown_figure", words, f"Known: {', '.join(TOLD)}.").reasons)
    return wanted


def _with_published(made: em.Drawn, report: dict[str, Any], told: tuple[str, ...]) -> tuple[bytes, dict[str, bytes]]:
    """Manifest and files, with what the hospital publishes of its report: to two places, and said to be outside."""
    if not told:
        return made.manifest, made.files
    figures = {table: {name: _coarse(found[name]) for name in told if name in found} for table, found in report.items()}
    words = "published by the hospital's people on purpose; read from the data, outside the guarantee; to two places"
    data = msgspec.json.encode({"outside_the_guarantee": words, "figures": figures})
    manifest = decode_json(made.manifest, SyntheticManifest)
    listed = ExtractFile(PUBLISHED_FILE, "application/json", len(data), hashlib.sha256(data).hexdigest())
    files = tuple(sorted((*manifest.files, listed), key=lambda one: one.name))
    return canonical_bytes(msgspec.structs.replace(manifest, files=files)), made.files | {PUBLISHED_FILE: data}


def _coarse(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 2)
    if isinstance(value, dict):
        return {name: _coarse(one) for name, one in value.items()}
    return [_coarse(one) for one in value] if isinstance(value, list) else value


def _archive(set_id: str) -> str:
    return f"shelf/{set_id}.zip"


def _report(set_id: str) -> str:
    return f"shelf/{set_id}.report"
