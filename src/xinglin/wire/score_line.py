"""A party's way to the hub's encrypted scores: signed calls out, verified messages in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import deny
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory
from xinglin.wire.errors import Refused
from xinglin.wire.scores import SCORE_CONTEXT, ScoreAnswer, ScoreCall, ScoreSent, Step

Post = Callable[[bytes], ScoreAnswer]
"""Posts a ``ScoreSent`` as bytes to the hub."""
_POLL_S = 0.3


class ScoreLine:
    """Puts and takes messages of one session."""

    def __init__(
        self,
        keys: PrivateKeys,
        directory: Callable[[], Directory],
        post: Post,
        clock: Clock,
        sleep: Callable[[float], None],
    ) -> None:
        self._keys, self._directory, self._post = keys, directory, post
        self._clock, self._sleep = clock, sleep

    def sessions(self) -> tuple[str, ...]:
        """Sessions in which this party takes part."""
        return self._call(ScoreCall("list", self._clock()), b"").sessions

    def put(self, session: str, step: Step, body: bytes, number: int = 0) -> None:
        """Put a message; the same one again changes nothing, another one is ``Refused``."""
        digest = hashlib.sha256(body).digest()
        self._call(ScoreCall("put", self._clock(), session, step, number, digest), body)

    def look(self, session: str, step: Step, sender: str, number: int = 0) -> bytes | None:
        """A message that ``sender`` signed for this place, if it is there; with no ``sender`` nobody is asked for."""
        answer = self._call(ScoreCall("take", self._clock(), session, step, number), b"")
        if not answer.found:
            if answer.body:
                words = f"The hub did not compute the scores ({answer.body[:80].decode(errors='replace')})."
                remedy = "Has the hub the engine's library? See docs/encrypted.md."
                raise Refused(deny("secure.score_failed", words, remedy).reasons)
            return None
        if sender:
            signed = Signed.from_bytes(answer.signed)
            call = decode_msgpack(open_signed(signed, SCORE_CONTEXT, self._directory()), ScoreCall)
            said = (signed.signer, call.act, call.session, call.step, call.number, call.digest)
            if said != (sender, "put", session, step, number, hashlib.sha256(answer.body).digest()):
                raise Refused(deny("secure.score_message", "A message of another sender, session or place.").reasons)
        return answer.body

    def wait(self, session: str, step: Step, sender: str, wait_s: float, number: int = 0) -> bytes:
        """The same, waited for; ``Refused`` when it does not come in time, or when the other party ends the session."""
        left_s = wait_s
        while True:
            found = self.look(session, step, sender, number)
            if found is not None:
                return found
            if self.look(session, "end", "") is not None:
                raise Refused(deny("secure.score_ended", "The other party has ended the session.").reasons)
            if left_s <= 0:
                words = "The other party, or the hub, has not answered yet."
                raise Refused(deny("secure.score_silent", words, "Start again: what was begun goes on.").reasons)
            self._sleep(_POLL_S)
            left_s -= _POLL_S

    def _call(self, call: ScoreCall, body: bytes) -> ScoreAnswer:
        signed = sign(self._keys, SCORE_CONTEXT, encode_msgpack(call))
        return self._post(encode_msgpack(ScoreSent(signed.to_bytes(), body)))
