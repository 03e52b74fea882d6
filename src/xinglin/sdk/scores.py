"""Encrypted scores from the side of who owns a model: hospitals score their patients by it, and never see it.

The weights leave this account encrypted, for the session of one hospital. The hospital gets its own patients' scores;
the owner gets nothing of them, and the hub neither.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.evidence.commitments import open_commitment
from xinglin.evidence.errors import CommitmentMismatch
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.verdict import deny
from xinglin.sdk.errors import NotVerified, Refused
from xinglin.sdk.wiring import score_engines
from xinglin.stores.tls import write_private
from xinglin.trust.sealing import seal
from xinglin.wire.score_line import ScoreLine
from xinglin.wire.scores import PARTIAL_INFO, SCORES_PATH, Ciphers, ScoreAnswer, ScoreOpen, ScoreTerms

if TYPE_CHECKING:
    from xinglin.sdk.session import Session

LARGEST = 8.0
Progress = Callable[[str, int, int], None]


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A logistic model: a weight for each column, by name, and an intercept; on the columns' own units."""

    weights: dict[str, float]
    intercept: float = 0.0

    @classmethod
    def read(cls, path: Path | str) -> Model:
        """From a JSON file ``{"weights": {"age": 0.04, …}, "intercept": -3}``."""
        return msgspec.convert(json.loads(Path(path).read_text(encoding="utf-8")), cls)

    def __repr__(self) -> str:
        return f"Model({len(self.weights)} columns)"


class Scoring:
    """One session that a hospital opened for this account's model."""

    def __init__(self, space: Session, session: str, openfhe: Path | None = None) -> None:
        self._space, self.id = space, session
        self._line = _line(space)
        self._single, self._threshold = score_engines(openfhe)
        bare = decode_msgpack(self._line.wait(session, "open", "", 0.0), ScoreOpen)
        opened = decode_msgpack(self._line.wait(session, "open", bare.terms.hospital, 0.0), ScoreOpen)
        self.terms: ScoreTerms = opened.terms
        self._public = opened.public
        self._verify(opened)

    def __repr__(self) -> str:
        return f"Scoring({self.id!r}, {self.terms.hospital!r})"

    def send(self, model: Model, wait_s: float = 3600.0, progress: Progress = lambda *_: None) -> ScoreTerms:
        """Send the model, encrypted for this session; with two key holders, stay until every block is decrypted.

        Raises ``Refused`` for columns that the model does not have, and where the engine's library is missing
        ``NoScheme``.
        """
        weights = self._weights(model)
        if self.terms.engine == "tenseal":
            self._put_model(weights, lambda values: self._single.encrypt(self._public, values))
            return self.terms
        share, public = self._join(wait_s)
        self._put_model(weights, lambda values: self._threshold.encrypt(public, values))
        self._part(share, wait_s, progress)
        return self.terms

    def cancel(self) -> None:
        """End the session; the hospital is told."""
        self._line.put(self.id, "end", b"cancelled")

    def _verify(self, opened: ScoreOpen) -> None:
        """The terms are this account's and this session's, and the hospital logged them."""
        terms, told, log = opened.terms, opened.told, self._space.log
        if terms.owner != self._space.account.did or terms.session().hex() != self.id:
            raise NotVerified("The session is of others, or not the one that was named.")
        log.refresh()
        found = [one.entry for one in log.about(f"sha256:{self.id}") if one.index == told.index]
        if not found or (found[0].kind, found[0].submitter) != ("admitted", terms.hospital):
            raise NotVerified("The hospital did not log the session.", remedy="Ask again in a minute.")
        try:
            open_commitment(found[0].commitments.get("terms", ""), told.salt, msgspec.to_builtins(terms))
        except CommitmentMismatch as error:
            raise NotVerified("The hospital logged other terms.", remedy="Tell the regulator.") from error

    def _weights(self, model: Model) -> list[float]:
        missing = sorted(set(self.terms.columns) ^ set(model.weights))
        if missing:
            words = f"The session and the model have different columns: {', '.join(missing)}."
            raise Refused(deny("sdk.score_columns", words, "Agree on the columns with the hospital.").reasons)
        named = zip(self.terms.columns, self.terms.scales, strict=True)
        weights = [*(model.weights[column] * scale for column, scale in named), model.intercept]
        if not all(abs(one) < LARGEST for one in weights):
            words = f"A weight times its column's scale, or the intercept, is {LARGEST:g} or more."
            raise Refused(deny("sdk.score_weight", words, "Ask the hospital for smaller scales.").reasons)
        return weights

    def _put_model(self, weights: list[float], encrypt: Callable[[Any], bytes]) -> None:
        import numpy as np

        if self._line.look(self.id, "model", self._space.account.did) is not None:
            return
        ciphers = tuple(encrypt(np.full(self.terms.block, weight)) for weight in weights)
        self._line.put(self.id, "model", encode_msgpack(Ciphers(ciphers)))

    def _join(self, wait_s: float) -> tuple[bytes, bytes]:
        """This account's share and the public key of both holders."""
        path = self._space.account.folder / f"score-{self.id[:16]}.share"
        if path.exists():
            share = path.read_bytes()
        else:
            share, public, part = self._threshold.lead()
            write_private(path, share)
            self._line.put(self.id, "lead", encode_msgpack(Ciphers((public, part))))
        body = self._line.wait(self.id, "joined", self.terms.hospital, wait_s)
        public, joined, second = decode_msgpack(body, Ciphers).of(3)
        if self._line.look(self.id, "finish", self._space.account.did) is None:
            key = self._threshold.finish(share, public, joined, second)
            self._line.put(self.id, "finish", encode_msgpack(Ciphers((key,))))
        return share, public

    def _part(self, share: bytes, wait_s: float, progress: Progress) -> None:
        """This account's part of each decryption, flooded where the share is, sealed to the hospital alone."""
        reader = self._space.log.record.directory.keys(self.terms.hospital)
        for number in range(self.terms.blocks):
            if self._line.look(self.id, "partial", self._space.account.did, number) is None:
                cipher = self._line.wait(self.id, "scored", "", wait_s, number)
                part = self._threshold.partial(share, cipher, lead=True, flooding_bits=30)
                self._line.put(self.id, "partial", seal(reader, part, PARTIAL_INFO), number)
            progress("decrypted", number + 1, self.terms.blocks)
        (self._space.account.folder / f"score-{self.id[:16]}.share").unlink(missing_ok=True)


def sessions(space: Session) -> list[str]:
    """Sessions that hospitals opened for models of this account."""
    return list(_line(space).sessions())


def _line(space: Session) -> ScoreLine:
    def post(data: bytes) -> ScoreAnswer:
        return space.client.post_bytes(f"/v1{SCORES_PATH}", data, ScoreAnswer)

    return ScoreLine(space.account.keys, lambda: space.log.record.directory, post, space.clock, time.sleep)
