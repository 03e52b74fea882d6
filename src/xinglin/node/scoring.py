"""Encrypted scores: a hospital has its patients scored by a model that it does not see, at a hub that sees neither.

(1) The node decides by the study's agreement with the owner of the model; whoever's choices say no is left out. (2) It
logs before a cipher leaves. (3) Columns are encrypted, one cipher a block of patients, with check rows among them:
each the middle of two patients', so that its sum is the middle of theirs. (4) The hub multiplies by the owner's
encrypted weights and adds. (5) The hospital decrypts: alone with one key holder (TenSEAL), or with the owner's part,
flooded and sealed to it (threshold, OpenFHE). (6) Check rows that do not fit tell that rows were dropped, changed or
put in another order; then nothing is shown. The logistic curve is applied at the hospital, exactly.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import deny
from xinglin.node.match_book import Book
from xinglin.node.match_gate import Decision
from xinglin.node.match_line import Journal, Progress, no_progress
from xinglin.node.match_people import Sifted, sifted, some_left
from xinglin.node.vault import Vault
from xinglin.secure.homomorphic.model import Parameters
from xinglin.secure.homomorphic.ports import Scheme, ThresholdScheme
from xinglin.stores.tls import write_private
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.sealing import unseal
from xinglin.wire.errors import Refused
from xinglin.wire.score_line import ScoreLine
from xinglin.wire.scores import COLUMNS, PARTIAL_INFO, ROWS, Ciphers, Engine, ScoreOpen, ScoreTerms

if TYPE_CHECKING:
    from xinglin.secure.homomorphic.ports import Numbers

FILE_BYTES = Limit("file of rows to score", 512 * 1024 * 1024, "bytes")
LARGEST = 8.0
"""A column divided by its scale stays below this."""
CHECKS_LEAST, CHECKS_PERMILLE = 8, 20
_OVER = frozenset({"hub.score_ended", "secure.score_ended", "secure.score_failed", "node.score_wrong"})
"""Refusals after which a session does not go on."""
TOLERANCE: Mapping[Engine, float] = {"tenseal": 1e-3, "openfhe": 0.6}
"""How far a check row may be off: the error of the engine, with what its flooding adds."""


class Scored(msgspec.Struct, frozen=True):
    """Each patient's key and score; ``session``; how many lines were left out."""

    session: str
    scores: tuple[tuple[str, float], ...]
    sifted: Sifted
    checks: int

    def __repr__(self) -> str:
        return f"Scored({self.session!r})"


class Rows:
    """A file of rows (CSV: key, then columns of numbers), and whose take part."""

    def __init__(self, folder: Path, keys: PrivateKeys, path: Path) -> None:
        self._folder, self._keys = folder, keys
        self.columns, self._rows, self.unusable = _read(path)

    def taking_part(self, decision: Decision) -> tuple[list[str], Numbers, Sifted]:
        """Keys and numbers (rows × columns) of whom the node's register and index let take part."""
        import numpy as np

        found = some_left(sifted(self._folder, self._keys, [(key, "") for key, _ in self._rows], decision.use))
        kept = [row for row, keep in zip(self._rows, found.keep, strict=True) if keep]
        table: Numbers = np.array([numbers for _, numbers in kept], dtype=np.float64)
        return [key for key, _ in kept], table, found


class ScoreSide:
    """The hospital's side of one session."""

    def __init__(
        self,
        folder: Path,
        keys: PrivateKeys,
        line: ScoreLine,
        journal: Journal,
        book: Book,
        engines: tuple[Scheme, ThresholdScheme],
        progress: Progress = no_progress,
    ) -> None:
        """``engines``: with one key holder, and with two."""
        self._folder, self._keys, self._line, self._journal, self._book = folder, keys, line, journal, book
        self._single, self._threshold = engines
        self._vault, self._progress = Vault(keys), progress

    def run(
        self, study: str, rows: Rows, scales: Mapping[str, float], engine: Engine, wait_s: float, purpose: str = ""
    ) -> Scored:
        """Open a session, or go on with it, and wait for the scores. ``Refused`` with every reason."""
        decision = self._book.gate.decide(study, purpose, ())
        owners, table, found = rows.taking_part(decision)
        scaled = _scaled(table, rows.columns, scales)
        packed, order, middles = self._with_checks(scaled)
        self._journal.same("rows", packed.tobytes())
        parameters = (self._threshold if engine == "openfhe" else self._single).parameters
        terms = self._terms(decision, rows.columns, scales, len(packed), parameters, engine)
        session = terms.session()
        self._journal.once("session", session.hex())
        try:
            return self._go(terms, packed, order, middles, (owners, found), decision, wait_s)
        except Refused as error:
            if set(error.codes) & _OVER:
                self._book.log("ended", session, (decision.consumer,), {"session": session.hex()})
                self._close(session)
            raise

    def _go(
        self, terms: ScoreTerms, packed: Numbers, order: Any, middles: list[tuple[int, int]],
        people_of: tuple[list[str], Sifted], decision: Decision, wait_s: float,
    ) -> Scored:  # fmt: skip
        session, (owners, found) = terms.session(), people_of
        people = {"rows": len(owners), "objected": found.objected, "unknown": found.unknown}
        use = {"agreement": decision.agreement, "purpose": decision.purpose}
        said = msgspec.to_builtins(terms)
        told = self._book.log("admitted", session, (decision.consumer,), said, people=people, use=use)
        public, secret = self._key(terms, lambda made: ScoreOpen(terms, told, made), wait_s)
        self._still(decision)
        self._send(terms, public, packed)
        sums = self._sums(terms, secret, wait_s)
        self._check(sums, order, middles, terms.engine)
        scores = _logistic(sums[_places(order, len(owners))])
        self._still(decision)
        digest = hashlib.sha256(scores.tobytes()).hexdigest()
        self._book.log("delivered", session, (decision.consumer,), {"session": session.hex()}, scores=digest)
        self._line.put(session.hex(), "end", b"delivered")
        self._close(session)
        pairs = tuple(zip(owners, scores.tolist(), strict=True))
        return Scored(session.hex(), pairs, found, len(middles))

    def cancel(self) -> str:
        """End a session that was opened and has no scores yet; the other side is told."""
        session = self._journal.get("session")
        if not session:
            self._journal.done()
            raise Refused(deny("node.score_not_opened", "No session was opened like this.").reasons)
        self._line.put(session, "end", b"cancelled")
        self._book.log("ended", bytes.fromhex(session), (), {"session": session})
        self._close(bytes.fromhex(session))
        return session

    # --- steps -----------------------------------------------------------------------------------

    def _still(self, decision: Decision) -> None:
        """The node decides as before: there was time to freeze a party or to end the agreement. Else ``Refused``."""
        again = self._book.gate.decide(decision.study, decision.purpose, ())
        if (again.agreement, again.consumer) != (decision.agreement, decision.consumer):
            words = "The study has another agreement now than when the session was opened."
            raise Refused(deny("node.score_not_agreed", words, "Cancel it, and begin anew.").reasons)

    def _with_checks(self, table: Numbers) -> tuple[Numbers, Any, list[tuple[int, int]]]:
        """The rows with check rows among them, shuffled; where each stands, and whose middle each check row is."""
        import numpy as np

        draw = self._journal.entropy(b"checks")
        count = max(CHECKS_LEAST, len(table) * CHECKS_PERMILLE // 1000)
        picked: Any = np.frombuffer(draw(16 * count), "<u8").reshape(count, 2) % np.uint64(len(table))
        middles = [(int(one), int(other)) for one, other in picked.tolist()]
        checks = np.array([(table[one] + table[other]) / 2 for one, other in middles])
        every = np.concatenate([table, checks])
        order: Any = np.argsort(np.frombuffer(draw(8 * len(every)), "<u8"), kind="stable")
        packed: Numbers = every[order]
        return packed, order, middles

    def _terms(
        self, decision: Decision, columns: tuple[str, ...], scales: Mapping[str, float], rows: int,
        parameters: Parameters, engine: Engine,
    ) -> ScoreTerms:  # fmt: skip
        ROWS.check(rows)
        sizes = tuple(float(scales.get(column, 1.0)) for column in columns)
        nonce = self._journal.entropy(b"nonce")(16).hex()
        owner, agreement = decision.consumer, decision.agreement
        me, block = self._keys.did, min(parameters.numbers, 4_096, rows)
        return ScoreTerms(decision.study, me, owner, agreement, columns, sizes, rows, block, engine, nonce)

    def _key(
        self, terms: ScoreTerms, opened: Callable[[bytes], ScoreOpen], wait_s: float
    ) -> tuple[bytes, bytes]:  # fmt: skip
        """The public key that rows are encrypted under, and this hospital's secret; made once a session."""
        session, path = terms.session().hex(), self._secret(terms.session())
        if path.exists():
            public, secret = decode_msgpack(self._vault.open(path.read_bytes()), tuple[bytes, bytes])
        elif terms.engine == "tenseal":
            pair = self._single.keys()
            public, secret = pair.public, pair.secret
        else:
            self._line.put(session, "open", encode_msgpack(opened(b"")))
            lead = self._line.wait(session, "lead", terms.owner, wait_s)
            first, part = decode_msgpack(lead, Ciphers).of(2)
            secret, public, joined, second = self._threshold.join_lead(first, part)
            write_private(path, self._vault.seal(encode_msgpack((public, secret))))
            self._line.put(session, "joined", encode_msgpack(Ciphers((public, joined, second))))
            return public, secret
        write_private(path, self._vault.seal(encode_msgpack((public, secret))))
        if terms.engine == "tenseal":
            self._line.put(session, "open", encode_msgpack(opened(public)))
        return public, secret

    def _send(self, terms: ScoreTerms, public: bytes, packed: Numbers) -> None:
        import numpy as np

        session = terms.session().hex()
        padded = np.zeros((terms.blocks * terms.block, packed.shape[1]))
        padded[: len(packed)] = packed
        for number in range(terms.blocks):
            if self._line.look(session, "rows", terms.hospital, number) is None:
                block = padded[number * terms.block : (number + 1) * terms.block]
                parts = tuple(self._encrypt(terms.engine, public, block[:, at]) for at in range(block.shape[1]))
                self._line.put(session, "rows", encode_msgpack(Ciphers(parts)), number)
            self._progress("encrypted", min((number + 1) * terms.block, terms.rows), terms.rows)

    def _encrypt(self, engine: Engine, public: bytes, column: Numbers) -> bytes:
        scheme: Scheme | ThresholdScheme = self._threshold if engine == "openfhe" else self._single
        return scheme.encrypt(public, column)

    def _sums(self, terms: ScoreTerms, secret: bytes, wait_s: float) -> Numbers:
        import numpy as np

        session, found = terms.session().hex(), []
        for number in range(terms.blocks):
            size = min(terms.block, terms.rows - number * terms.block)
            cipher = self._line.wait(session, "scored", "", wait_s, number)
            if terms.engine == "tenseal":
                found.append(self._single.decrypt(secret, cipher, size))
            else:
                sealed = self._line.wait(session, "partial", terms.owner, wait_s, number)
                lead = unseal(self._keys, sealed, PARTIAL_INFO)
                mine = self._threshold.partial(secret, cipher, lead=False, flooding_bits=30)
                found.append(self._threshold.fuse([lead, mine], size))
            self._progress("scored", min((number + 1) * terms.block, terms.rows), terms.rows)
        every: Numbers = np.concatenate(found)
        return every

    def _check(self, sums: Numbers, order: Any, middles: list[tuple[int, int]], engine: Engine) -> None:
        import numpy as np

        place = _places(order, len(order))
        own = len(order) - len(middles)
        off = [
            abs(sums[place[own + at]] - (sums[place[one]] + sums[place[other]]) / 2)
            for at, (one, other) in enumerate(middles)
        ]
        if not np.all(np.isfinite(sums)) or max(off) > TOLERANCE[engine]:
            words = "The hub's answer is not a weighted sum of the rows that were sent: nothing of it is shown."
            raise Refused(deny("node.score_wrong", words, "Tell the regulator; open a new session.").reasons)

    def _secret(self, session: bytes) -> Path:
        return self._folder / "matching" / f"{session.hex()}.score"

    def _close(self, session: bytes) -> None:
        self._secret(session).unlink(missing_ok=True)
        self._journal.done()


def write_scores(path: Path, scores: tuple[tuple[str, float], ...]) -> None:
    """Scores as CSV ``key,score`` in a file that only its owner reads."""
    rows = [f'"{key}",{score:.6f}' if "," in key else f"{key},{score:.6f}" for key, score in scores]
    write_private(path, ("\n".join(["key,score", *rows]) + "\n").encode())


def _places(order: Any, count: int) -> Any:
    """Where each of the first ``count`` rows stands after the shuffle."""
    import numpy as np

    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[:count]


def _logistic(sums: Numbers) -> Numbers:
    import numpy as np

    scores: Numbers = 1.0 / (1.0 + np.exp(-np.clip(sums, -60, 60)))
    return scores


def _scaled(table: Numbers, columns: tuple[str, ...], scales: Mapping[str, float]) -> Numbers:
    import numpy as np

    unknown = sorted(set(scales) - set(columns))
    if unknown or not all(0 < one < float("inf") for one in scales.values()):
        raise Refused(deny("node.score_scale", "A scale is a number above zero, of a column of the file.").reasons)
    found: Numbers = table / np.array([scales.get(column, 1.0) for column in columns])
    large = [column for at, column in enumerate(columns) if float(np.max(np.abs(found[:, at]))) >= LARGEST]
    if large:
        words = f"Too large for the cipher: {', '.join(large)}."
        raise Refused(deny("node.score_scale", words, "Give a scale: --scale COLUMN=NUMBER.").reasons)
    return found


def _read(path: Path) -> tuple[tuple[str, ...], list[tuple[str, list[float]]], int]:
    """Columns, rows by key, and how many lines hold no number where one belongs."""
    FILE_BYTES.check(path.stat().st_size)
    found: dict[str, list[float]] = {}
    unusable = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        key, *columns = [name.strip() for name in next(reader, [""])]
        COLUMNS.check(len(columns))
        if key.lower() != "key" or not columns or len(set(columns)) != len(columns):
            raise MalformedMessage("The file's first column is not 'key', or it has no columns of numbers.")
        for row in reader:
            try:
                numbers = [float(text) for text in row[1:]]
            except ValueError:
                numbers = []
            if len(numbers) != len(columns) or not all(abs(one) < float("inf") for one in numbers):
                unusable += 1
            else:
                found[row[0].strip()] = numbers
    return tuple(columns), sorted(found.items()), unusable
