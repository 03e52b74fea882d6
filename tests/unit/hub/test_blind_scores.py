"""Encrypted scores in one process: hospital, owner and hub; and hubs, owners and strangers who cheat."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from tests.unit.node.test_intersecting import NOW, Gate, Log

from xinglin.contract.agreement import Agreement
from xinglin.evidence.entry import Entry
from xinglin.hub import blind_scores
from xinglin.hub.blind_scores import ScoreDesk
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.kernel.verdict import deny
from xinglin.node.match_book import Book
from xinglin.node.match_gate import Decision
from xinglin.node.match_line import Journal
from xinglin.node.scoring import Rows, Scored, ScoreSide
from xinglin.sdk.scores import Model, Scoring
from xinglin.secure.homomorphic.ckks import TensealScheme
from xinglin.secure.homomorphic.errors import NoScheme, NotACipher
from xinglin.secure.homomorphic.model import PRODUCTS, SUMS
from xinglin.stores.blind_scores import SESSIONS, ScoreBox
from xinglin.stores.matching_ledger import MatchingLedger
from xinglin.stores.openfhe_engine import THRESHOLD_SCORES, OpenfheScheme
from xinglin.terms.consent import ConsentUse
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.errors import Refused
from xinglin.wire.matching import Told
from xinglin.wire.score_line import ScoreLine
from xinglin.wire.scores import (
    BLOCK_LEAST,
    SCORE_CONTEXT,
    Ciphers,
    ScoreAnswer,
    ScoreCall,
    ScoreOpen,
    ScoreSent,
    ScoreTerms,
)

pytest.importorskip("tenseal")

HOSPITAL, OWNER, STRANGER = (PrivateKeys.generate() for _ in range(3))
MODEL = Model({"age": 0.05, "smoker": 1.1}, -2.0)
ROWS = 30
AGREEMENT = "sha256:" + "1" * 64


class People:
    """A directory (``trust.ports.Directory``)."""

    def keys(self, did: str, at: int | None = None) -> Any:
        return {one.did: one.public for one in (HOSPITAL, OWNER, STRANGER)}[did]

    def roles(self, did: str, at: int | None = None) -> frozenset[str]:
        return frozenset({"provider"})


class Agreed(Gate):
    """The hospital's node: the study's other side is the owner of the model."""

    def decide(self, study: str, purpose: str, peers: tuple[str, ...]) -> Decision:
        use = ConsentUse(study=study, purpose="health-research", institutions=(), at=NOW, regime="opt-out")
        return Decision(AGREEMENT, study, "health-research", OWNER.did, use)


class Scene:
    """One hub, one hospital, one owner."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.log, self.now = folder, Log(), NOW
        self.home = folder / "node"
        self.home.mkdir()
        self.gate: Gate = Agreed(self.log, HOSPITAL.did)
        (self.home / "matching.toml").write_text('unknown = "keep"\n')
        agreement = SimpleNamespace(
            provider=HOSPITAL.did, consumer=OWNER.did, study="s", digest=lambda: AGREEMENT
        )  # fmt: skip
        monkeypatch.setattr(blind_scores, "decode_json", lambda _data, kind: agreement if kind is Agreement else None)
        row = self.row = SimpleNamespace(state="active", offered=sign(OWNER, "agreement/1", b"{}").to_bytes())
        self.record = SimpleNamespace(revoked=frozenset[str]())
        members = SimpleNamespace(directory=People(), record=self.record)
        hub = SimpleNamespace(members=members, clock=lambda: self.now, store=SimpleNamespace(agreements=lambda: [row]))
        self.box = ScoreBox(folder / "scores")
        engines = (TensealScheme(PRODUCTS), OpenfheScheme(Path("/nowhere"), THRESHOLD_SCORES))
        self.desk = ScoreDesk(cast(Any, hub), self.box, *engines)
        self.engines = engines
        self.cheat: Callable[[ScoreCall, ScoreAnswer], ScoreAnswer] = lambda _call, answer: answer
        self._turn = threading.Lock()

    def post(self, data: bytes) -> ScoreAnswer:
        from xinglin.trust.envelope import Signed

        sent = decode_msgpack(data, ScoreSent)
        call = decode_msgpack(Signed.from_bytes(sent.signed).payload, ScoreCall)
        with self._turn:
            answer = self.desk.take_call(sent)
            if call.act == "put" and call.step in ("rows", "model"):
                asyncio.run(self.desk.compute(call.session))
        return self.cheat(call, answer)

    def line(self, keys: PrivateKeys) -> ScoreLine:
        return ScoreLine(keys, People, self.post, lambda: self.now, time.sleep)

    def hospital(self, scale: float = 20.0, engine: Any = "tenseal", wait_s: float = 60.0) -> Scored:
        path = self.folder / "rows.csv"
        if not path.exists():
            with path.open("w", newline="") as file:
                csv.writer(file).writerows([["key", "age", "smoker"], *([f"k{n}", 20 + n, n % 2] for n in range(ROWS))])
        journal = Journal.of(self.home, "score")
        book = Book(self.gate, MatchingLedger.in_folder(self.home), lambda: NOW)
        side = ScoreSide(self.home, HOSPITAL, self.line(HOSPITAL), journal, book, self.engines)
        try:
            return side.run("s", Rows(self.home, HOSPITAL, path), {"age": scale}, engine, wait_s)
        finally:
            journal.close()

    def owner(self, session: str) -> Scoring:
        def about(subject: str) -> list[Any]:
            return [
                SimpleNamespace(
                    index=at, entry=Entry(kind=kind, at=NOW, submitter=did, subject=subject, commitments=said)
                )
                for at, (kind, named, did, said) in enumerate(self.log.leaves)
                if f"sha256:{named.hex()}" == subject
            ]

        log = SimpleNamespace(refresh=lambda: 0, about=about, record=SimpleNamespace(directory=People()))
        account = SimpleNamespace(keys=OWNER, did=OWNER.did, folder=self.folder)
        client = SimpleNamespace(post_bytes=lambda _path, data, _kind: self.post(data))
        space = SimpleNamespace(account=account, clock=lambda: self.now, log=log, client=client)
        return Scoring(cast(Any, space), session)

    def session(self) -> str:
        for _ in range(3000):
            if found := self.line(OWNER).sessions():
                return found[0]
            time.sleep(0.02)
        raise AssertionError("no session was opened")

    def both(self, model: Model = MODEL) -> Any:
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(self.hospital)
            self.owner(self.session()).send(model)
            return job.exception() or job.result()


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


def call(keys: PrivateKeys, body: bytes = b"", **changes: Any) -> ScoreSent:
    made = ScoreCall("put", NOW, digest=hashlib.sha256(body).digest())
    signed = sign(keys, SCORE_CONTEXT, encode_msgpack(msgspec.structs.replace(made, **changes)))
    return ScoreSent(signed.to_bytes(), body)


def test_scores_are_those_of_the_model_and_each_party_sees_its_own_alone(scene: Scene) -> None:
    found = scene.both()
    for at, (key, score) in enumerate(sorted(found.scores, key=lambda one: int(one[0][1:]))):
        wanted = 1 / (1 + math.exp(-(0.05 * (20 + at) + 1.1 * (at % 2) - 2.0)))
        assert key == f"k{at}" and abs(score - wanted) < 1e-4
    assert [kind for kind, *_ in scene.log.leaves] == ["admitted", "delivered"]
    place = scene.folder / "scores" / found.session
    held = b"".join(one.read_bytes() for one in place.iterdir())
    assert not all(b"k%d" % n in held for n in range(10, 20)) and HOSPITAL.did.encode() in held
    assert not list((scene.home / "matching").glob("*.score"))


@pytest.mark.parametrize("trick", ["made up", "shifted"])
def test_a_hub_that_answers_something_else_is_found_by_the_check_rows(scene: Scene, trick: str) -> None:
    import numpy as np

    scheme, line = scene.engines[0], scene.line(HOSPITAL)

    def cheat(asked: ScoreCall, answer: ScoreAnswer) -> ScoreAnswer:
        if asked.step != "scored" or not answer.found:
            return answer
        public = decode_msgpack(line.look(asked.session, "open", HOSPITAL.did) or b"", ScoreOpen).public
        made = scheme.encrypt(public, np.arange(float(ROWS + 8)) % 3)
        if trick == "made up":
            return ScoreAnswer(True, b"", made)
        rows = decode_msgpack(line.look(asked.session, "rows", HOSPITAL.did) or b"", Ciphers).parts
        return ScoreAnswer(True, b"", scheme.add(public, [rows[0], made]))  # others' scores at some places

    scene.cheat = cheat
    found = scene.both()
    assert isinstance(found, Refused) and found.codes == ("node.score_wrong",)
    assert [kind for kind, *_ in scene.log.leaves] == ["admitted", "ended"]


def test_what_a_hub_hands_on_from_others_is_not_taken(scene: Scene) -> None:
    forged = call(STRANGER, b"x", session="0" * 64, step="model")
    scene.cheat = lambda asked, answer: (
        ScoreAnswer(True, forged.signed, forged.body)
        if asked.act == "take" and asked.step == "open" and answer.found
        else answer
    )
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(scene.hospital, wait_s=1.0)
        session = scene.session()
        with pytest.raises(MalformedMessage):
            scene.owner(session)
        assert isinstance(job.exception(), Refused)  # nobody answered


def test_replays_strangers_steps_of_others_and_changed_messages(scene: Scene) -> None:
    assert isinstance(scene.both(), Scored)
    (session,) = scene.line(OWNER).sessions()
    assert scene.line(STRANGER).sessions() == ()
    cases: tuple[tuple[ScoreSent, str], ...] = (
        (call(OWNER, b"y", session=session, step="model", at=NOW - 10**6), "hub.score_clock"),
        (call(STRANGER, act="take", session=session, step="scored"), "hub.score_party"),
        (call(OWNER, b"y", session=session, step="rows"), "hub.score_step"),
        (call(HOSPITAL, b"y", session=session, step="rows", number=9), "hub.score_step"),
        (call(OWNER, b"y", session=session, step="model"), "hub.score_ended"),
        (call(OWNER, session="../../etc/passwd", step="model"), "hub.score_session"),
        (ScoreSent(call(OWNER, b"y", session=session, step="model").signed, b"z"), "hub.score_body"),
        (call(OWNER, session="0" * 64, step="model"), "hub.score_session"),
    )
    for sent, code in cases:
        with pytest.raises(Refused) as refused:
            scene.desk.take_call(sent)
        assert refused.value.codes == (code,)
    opened = decode_msgpack(scene.box.get(session, "open-0") or b"", ScoreSent)
    other = call(STRANGER, opened.body, session=session, step="open")
    with pytest.raises(Refused) as refused:  # another opens with the hospital's terms
        scene.desk.take_call(other)
    assert refused.value.codes == ("hub.score_terms",)
    scene.record.revoked = frozenset({"s"})
    with pytest.raises(Refused) as refused:
        scene.desk.take_call(call(HOSPITAL, opened.body, session=session, step="open"))
    assert refused.value.codes == ("secure.study_frozen",)


def test_a_message_that_was_put_stays(scene: Scene) -> None:
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(scene.hospital, wait_s=2.0)
        session = scene.session()
        scene.line(OWNER).put(session, "partial", b"one")
        scene.line(OWNER).put(session, "partial", b"one")
        with pytest.raises(Refused) as refused:
            scene.line(OWNER).put(session, "partial", b"two")
        assert refused.value.codes == ("hub.score_changed",)
        assert isinstance(job.exception(), Refused)  # no model came: the session waits
    assert isinstance(scene.both(), Scored)  # and goes on, with the same rows and key
    assert [kind for kind, *_ in scene.log.leaves] == ["admitted", "delivered"]


def test_models_and_rows_that_do_not_fit(scene: Scene) -> None:
    with pytest.raises(Refused) as refused:
        scene.hospital(scale=1.0)
    assert refused.value.codes == ("node.score_scale",)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(scene.hospital, wait_s=1.0)
        owner = scene.owner(scene.session())
        for model, code in (
            (Model({"age": 0.1}), "sdk.score_columns"),
            (Model({"age": 0.5, "smoker": 1.0}), "sdk.score_weight"),
        ):
            with pytest.raises(Refused) as refused:
                owner.send(model)
            assert refused.value.codes == (code,)
        assert isinstance(job.exception(), Refused)


def test_an_engine_that_is_absent_is_refused(scene: Scene) -> None:
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(scene.hospital, engine="openfhe", wait_s=1.0)
        with pytest.raises(NoScheme):
            scene.owner(scene.session()).send(MODEL)
        assert isinstance(job.exception(), Refused)


def test_a_hub_holds_so_many_sessions_and_no_more(tmp_path: Path) -> None:
    box = ScoreBox(tmp_path / "scores")
    for number in range(SESSIONS.value):
        box.put(f"{number:064x}", "open-0", b"x")
    with pytest.raises(LimitExceeded):
        box.put("f" * 64, "open-0", b"x")
    assert box.put(f"{0:064x}", "open-0", b"y") == b"x"


def test_one_hospital_holds_so_many_sessions_open_and_no_more(scene: Scene) -> None:
    terms = ScoreTerms("s", HOSPITAL.did, OWNER.did, AGREEMENT, ("age",), (1.0,), 9, 9, "tenseal", "n")
    for number in range(blind_scores.OPEN.value + 1):
        one = msgspec.structs.replace(terms, nonce=str(number))
        body = encode_msgpack(ScoreOpen(one, Told(0, b"s")))
        sent = call(HOSPITAL, body, session=one.session().hex(), step="open")
        if number < blind_scores.OPEN.value:
            assert scene.desk.take_call(sent).found
    with pytest.raises(Refused) as refused:
        scene.desk.take_call(sent)
    assert refused.value.codes == ("hub.score_open",)


def begun(scene: Scene, **changes: Any) -> tuple[str, bytes, bytes]:
    """A session that was opened by hand; the bodies of its rows and of the model."""
    import numpy as np

    scheme = scene.engines[0]
    pair = scheme.keys()
    made = ScoreTerms("s", HOSPITAL.did, OWNER.did, AGREEMENT, ("age",), (1.0,), 8, 8, "tenseal", "n")
    terms = msgspec.structs.replace(made, **changes)
    session, body = terms.session().hex(), encode_msgpack(ScoreOpen(terms, Told(0, b"s"), pair.public))
    scene.desk.take_call(call(HOSPITAL, body, session=session, step="open"))
    rows, *model = (scheme.encrypt(pair.public, np.full(8, one)) for one in (1.0, 0.75, -2.0))
    return session, encode_msgpack(Ciphers((rows,))), encode_msgpack(Ciphers(tuple(model)))


def refusal(scene: Scene, sent: ScoreSent) -> str:
    """The code with which the hub refuses a call; "" where it does not."""
    try:
        scene.desk.take_call(sent)
    except Refused as error:
        return str(error.codes[0])
    return ""


@pytest.mark.parametrize(
    ("frozen", "code"),
    [
        ("s", "secure.study_frozen"),
        (OWNER.did, "secure.study_frozen"),
        (HOSPITAL.did, "secure.study_frozen"),
        (AGREEMENT, "secure.study_frozen"),
        ("", "hub.score_not_agreed"),
    ],
    ids=["study", "owner", "hospital", "agreement", "ended"],
)
def test_a_session_that_is_frozen_or_no_longer_agreed_takes_computes_and_hands_out_nothing(
    scene: Scene, frozen: str, code: str
) -> None:
    session, rows, model = begun(scene)
    ours, theirs = call(HOSPITAL, rows, session=session, step="rows"), call(OWNER, model, session=session, step="model")
    scene.desk.take_call(ours)
    scene.record.revoked, scene.row.state = frozenset({frozen} - {""}), "active" if frozen else "ended"
    assert refusal(scene, ours) == refusal(scene, theirs) == code
    assert refusal(scene, call(HOSPITAL, act="take", session=session, step="rows")) == code
    scene.record.revoked, scene.row.state = frozenset(), "active"
    scene.desk.take_call(theirs)
    scene.record.revoked, scene.row.state = frozenset({frozen} - {""}), "active" if frozen else "ended"
    asyncio.run(scene.desk.compute(session))  # between the last message and the sum
    assert scene.box.get(session, "scored-0") is None and scene.box.get(session, "failed-0") == code.encode()
    assert refusal(scene, call(OWNER, b"over", session=session, step="end")) == ""


@pytest.mark.parametrize(("asked", "rows"), [(2, 0), (3, 1)])
def test_the_node_decides_again_before_rows_leave_and_before_scores_are_shown(
    scene: Scene, asked: int, rows: int
) -> None:
    class Ending(Agreed):
        times = 0

        def decide(self, study: str, purpose: str, peers: tuple[str, ...]) -> Decision:
            self.times += 1
            if self.times >= asked:
                raise Refused(deny("node.match_frozen", "Frozen.").reasons)
            return super().decide(study, purpose, peers)

    scene.gate = Ending(scene.log, HOSPITAL.did)
    found = scene.both()
    assert isinstance(found, Refused) and found.codes == ("node.match_frozen",)
    (session,) = scene.line(OWNER).sessions()
    assert sum(one.startswith("rows-") for one in scene.box.names(session)) == rows
    assert [kind for kind, *_ in scene.log.leaves] == ["admitted"]


def test_rows_and_models_are_handed_to_who_put_them_alone(scene: Scene) -> None:
    session, rows, model = begun(scene)
    scene.desk.take_call(call(HOSPITAL, rows, session=session, step="rows"))
    scene.desk.take_call(call(OWNER, model, session=session, step="model"))
    for keys, step in ((HOSPITAL, "model"), (OWNER, "rows")):
        assert refusal(scene, call(keys, act="take", session=session, step=step)) == "hub.score_step"
    for keys, step in ((OWNER, "model"), (HOSPITAL, "rows")):
        assert scene.desk.take_call(call(keys, act="take", session=session, step=step)).found


def test_ciphers_of_another_key_end_the_session_and_are_told(scene: Scene) -> None:
    import numpy as np

    session, _, model = begun(scene)
    weak = TensealScheme(SUMS)  # no relinearisation, and fewer primes
    rows = encode_msgpack(Ciphers((weak.encrypt(weak.keys().public, np.ones(8)),)))
    scene.desk.take_call(call(HOSPITAL, rows, session=session, step="rows"))
    scene.desk.take_call(call(OWNER, model, session=session, step="model"))
    asyncio.run(scene.desk.compute(session))
    told = scene.desk.take_call(call(HOSPITAL, act="take", session=session, step="scored"))
    assert not told.found and told.body == b"secure.homomorphic_cipher"


def test_a_key_of_sums_and_a_product_key_in_two_parts_end_the_session(scene: Scene) -> None:
    import numpy as np

    weak = TensealScheme(SUMS)
    public = weak.keys().public
    cipher = weak.encrypt(public, np.ones(8))
    with pytest.raises(NotACipher):
        scene.engines[0].linear(public, [cipher], [cipher, cipher])
    session, rows, model = begun(scene, engine="openfhe")
    for keys, step, body in ((HOSPITAL, "rows", rows), (OWNER, "finish", model), (OWNER, "model", model)):
        scene.desk.take_call(call(keys, body, session=session, step=step))
    asyncio.run(scene.desk.compute(session))
    told = scene.desk.take_call(call(HOSPITAL, act="take", session=session, step="scored"))
    assert not told.found and told.body == b"kernel.malformed"


def test_a_cipher_holds_as_many_rows_as_make_few_messages(scene: Scene) -> None:
    with pytest.raises(Refused) as refused:
        begun(scene, rows=BLOCK_LEAST + 1, block=BLOCK_LEAST - 1)
    assert refused.value.codes == ("hub.score_terms",)
    with pytest.raises(Refused):
        begun(scene, rows=8, block=7)
    begun(scene, rows=BLOCK_LEAST + 1, block=BLOCK_LEAST)
