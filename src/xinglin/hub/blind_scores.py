"""The hub computes scores that it cannot read: ciphers of a model times ciphers of rows, for the key holders alone.

It admits by signature: a session is opened by a hospital that has an agreement in force with the owner of the model
for the study, and stops where that ends or is frozen: nothing is taken in, computed or handed out any more, and a
party may still end it. Each step is its party's own, and what was put once stays. It has no key and decrypts nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from typing import Any

from litestar import Request, Response, Router, post

from xinglin.contract.agreement import Agreement
from xinglin.hub.doorway import body_of, json_answer
from xinglin.hub.services import Hub
from xinglin.kernel.codec import decode_json, decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.secure.homomorphic.ports import Scheme, ThresholdScheme
from xinglin.stores.blind_scores import ScoreBox
from xinglin.trust.envelope import Signed, open_signed
from xinglin.wire.errors import Refused
from xinglin.wire.scores import (
    BLOCK_LEAST,
    COLUMNS,
    OF_HOSPITAL,
    OF_OWNER,
    ROWS,
    SCORE_BYTES,
    SCORE_CONTEXT,
    SCORES_PATH,
    SKEW_MS,
    Ciphers,
    ScoreAnswer,
    ScoreCall,
    ScoreOpen,
    ScoreSent,
    ScoreTerms,
)

log = logging.getLogger("xinglin.hub.scores")
OPEN = Limit("open sessions of encrypted scores", 8, "sessions")
_SESSION = re.compile(r"[0-9a-f]{64}")


class ScoreDesk:
    """Sessions of encrypted scores. ``single`` and ``threshold``: the engines; one that is absent refuses."""

    def __init__(self, hub: Hub, box: ScoreBox, single: Scheme, threshold: ThresholdScheme) -> None:
        self._hub, self._box, self._single, self._threshold = hub, box, single, threshold
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def take_call(self, sent: ScoreSent) -> ScoreAnswer:
        """One call of a party; ``Refused`` with reasons, or what ``open_signed`` raises."""
        signed = Signed.from_bytes(sent.signed)
        call = decode_msgpack(open_signed(signed, SCORE_CONTEXT, self._hub.members.directory), ScoreCall)
        if call.version != 1 or abs(call.at - self._hub.clock()) > SKEW_MS:
            words = "The call was signed too long ago, or by a newer version."
            raise Refused(deny("hub.score_clock", words, "Set the clock; sign again.").reasons)
        if call.act == "list":
            return ScoreAnswer(True, sessions=self._sessions_of(signed.signer))
        if not _SESSION.fullmatch(call.session) or not 0 <= call.number <= ROWS.value * COLUMNS.value:
            raise Refused(deny("hub.score_session", "No session has such a name or number.").reasons)
        if call.act == "take":
            terms = self._party(call.session, signed.signer)
            if signed.signer != {"rows": terms.hospital, "model": terms.owner}.get(call.step, signed.signer):
                words = "Rows and models go to the hub alone: who has the key could read the other's."
                raise Refused(deny("hub.score_step", words).reasons)
            found = self._box.get(call.session, f"{call.step}-{call.number}")
            if found is None:
                found = self._box.get(call.session, "failed-0")
                return ScoreAnswer(False) if found is None else ScoreAnswer(False, body=found)
            kept = decode_msgpack(found, ScoreSent)
            return ScoreAnswer(True, kept.signed, kept.body)
        return self._put(signed.signer, call, sent)

    async def compute(self, session: str) -> None:
        """Score every block whose model and rows are there; once each."""
        async with self._turn:
            terms, names = self._terms(session), self._box.names(session)
            if "failed-0" in names:
                return
            ready = {f"rows-{n}" for n in range(terms.blocks)}
            keyed = terms.engine == "tenseal" or "finish-0" in names
            for number in range(terms.blocks):
                if keyed and "model-0" in names and ready <= names and f"scored-{number}" not in names:
                    try:
                        await asyncio.to_thread(self._in_force, terms)
                        scored = await asyncio.to_thread(self._score, session, terms, number)
                    except XinglinError as error:
                        code = error.codes[0] if isinstance(error, Refused) else error.code
                        log.warning("a score was not computed: %s", code)
                        self._box.put(session, "failed-0", code.encode())
                        return
                    self._box.put(session, f"scored-{number}", encode_msgpack(ScoreSent(b"", scored)))

    def later(self, session: str) -> None:
        """Compute beside the call that brought the last message."""
        task = asyncio.get_running_loop().create_task(self.compute(session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _put(self, who: str, call: ScoreCall, sent: ScoreSent) -> ScoreAnswer:
        SCORE_BYTES.check(len(sent.body))
        if hashlib.sha256(sent.body).digest() != call.digest:
            raise Refused(deny("hub.score_body", "The body is not the one that was signed for.").reasons)
        if call.step == "open":
            verdict = self._may_open(who, call, decode_msgpack(sent.body, ScoreOpen, SCORE_BYTES))
        else:
            verdict = self._may_put(who, call)
        if not isinstance(verdict, Allowed):
            raise Refused(verdict.reasons)
        kept = decode_msgpack(
            self._box.put(call.session, f"{call.step}-{call.number}", encode_msgpack(sent)), ScoreSent
        )
        if kept.body != sent.body:
            words = "Something else was put here before, and stays."
            raise Refused(deny("hub.score_changed", words, "Open a new session.").reasons)
        return ScoreAnswer(True)

    def _may_open(self, who: str, call: ScoreCall, opened: ScoreOpen) -> Verdict:
        terms = opened.terms
        ROWS.check(terms.rows)
        COLUMNS.check(len(terms.columns))
        if terms.hospital != who or terms.session().hex() != call.session or call.number:
            return deny("hub.score_terms", "The terms are another hospital's, or another session's.")
        least = min(terms.rows, BLOCK_LEAST)
        if not 1 <= least <= terms.block <= 65_536 or len(terms.columns) != len(terms.scales):
            return deny("hub.score_terms", "The terms say nothing that can be computed.")
        self._in_force(terms)
        mine = [one for one in self._sessions_of(who) if one != call.session and self._open_by(one, who)]
        if len(mine) >= OPEN.value:
            return deny("hub.score_open", f"A hospital has at most {OPEN.value} {OPEN.name}.", "End one first.")
        return Allowed()

    def _in_force(self, terms: ScoreTerms) -> None:
        """Returns where nothing is frozen and the agreement stands; ``Refused`` otherwise."""
        if {terms.hospital, terms.owner, terms.study, terms.agreement} & self._hub.members.record.revoked:
            words = "The regulator has frozen the study, the agreement or a party."
            raise Refused(deny("secure.study_frozen", words).reasons)
        for row in self._hub.store.agreements():
            agreement = decode_json(Signed.from_bytes(row.offered).payload, Agreement)
            if row.state == "active" and agreement.digest() == terms.agreement:
                named = (agreement.provider, agreement.consumer, agreement.study)
                if named == (terms.hospital, terms.owner, terms.study):
                    return
        words = "There is no agreement in force between these parties for this study."
        raise Refused(deny("hub.score_not_agreed", words, "Agree first.").reasons)

    def _may_put(self, who: str, call: ScoreCall) -> Verdict:
        terms = self._party(call.session, who, ending=call.step == "end")
        mine = OF_HOSPITAL if who == terms.hospital else OF_OWNER
        most = terms.blocks if call.step in ("rows", "partial") else 1
        if call.step not in mine or call.number >= most:
            return deny("hub.score_step", "This step is not this party's, or there is no such number.")
        if self._box.get(call.session, "end-0") is not None:
            return deny("hub.score_ended", "A party has ended this session.", "Open a new one.")
        return Allowed()

    def _party(self, session: str, who: str, *, ending: bool = False) -> ScoreTerms:
        terms = self._terms(session)
        if who not in (terms.hospital, terms.owner):
            raise Refused(deny("hub.score_party", "This session is of others.").reasons)
        if not ending:
            self._in_force(terms)
        return terms

    def _terms(self, session: str) -> ScoreTerms:
        kept = self._box.get(session, "open-0")
        if kept is None:
            raise Refused(deny("hub.score_session", "There is no such session.").reasons, status=404)
        return decode_msgpack(decode_msgpack(kept, ScoreSent).body, ScoreOpen).terms

    def _open_by(self, session: str, who: str) -> bool:
        return self._terms(session).hospital == who and self._box.get(session, "end-0") is None

    def _sessions_of(self, who: str) -> tuple[str, ...]:
        opened = [one for one in self._box.sessions() if "open-0" in self._box.names(one)]
        mine = [(one, self._terms(one)) for one in opened]
        return tuple(one for one, terms in mine if who in (terms.hospital, terms.owner))

    def _score(self, session: str, terms: ScoreTerms, number: int) -> bytes:
        rows, model = self._sent(session, f"rows-{number}").parts, self._sent(session, "model-0").parts
        if terms.engine == "openfhe":
            return self._threshold.linear(self._sent(session, "finish-0").of(1)[0], rows, model)
        kept = self._box.get(session, "open-0") or b""
        public = decode_msgpack(decode_msgpack(kept, ScoreSent).body, ScoreOpen).public
        return self._single.linear(public, rows, model)

    def _sent(self, session: str, name: str) -> Ciphers:
        kept = decode_msgpack(self._box.get(session, name) or b"", ScoreSent)
        return decode_msgpack(kept.body, Ciphers)


def score_routes(desk: ScoreDesk) -> Router:
    """The one call; its signature is what is looked at, no door token."""

    @post(SCORES_PATH, status_code=200)
    async def scores(request: Request[Any, Any, Any]) -> Response[bytes]:
        sent = decode_msgpack(await body_of(request, SCORE_BYTES), ScoreSent)
        answer = await asyncio.to_thread(desk.take_call, sent)
        call = decode_msgpack(Signed.from_bytes(sent.signed).payload, ScoreCall)
        if call.act == "put" and call.step in ("rows", "model", "finish"):
            desk.later(call.session)
        return json_answer(answer)

    return Router("/v1", route_handlers=[scores])
