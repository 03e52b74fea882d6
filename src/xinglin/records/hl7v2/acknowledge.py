r"""Acknowledgements by the original and the enhanced rules (HL7 v2.8.2 §2.9).

Original: one answer, AA, AE or AR. Enhanced, where MSH-15 or MSH-16 is filled: an *accept* answer (CA, CE, CR) as
MSH-15 asks for it, an *application* answer as MSH-16 does. An answer tells what the header told and nothing of the
message's body.

>>> from xinglin.records.hl7v2.header import read_header
>>> asked = read_header(b"MSH|^~\\&|HIS|A|XL|B|20240301||ADT^A01^ADT_A01|M7|P|2.5\rPID|1||7")
>>> acknowledge(asked, ACCEPTED, "X1", 1709280000000)[0].split(b"\r")[1]
b'MSA|AA|M7'
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.records.hl7v2.errors import BadMessage
from xinglin.records.hl7v2.header import Header
from xinglin.records.hl7v2.message import parse_message
from xinglin.records.hl7v2.separators import NEVER, Separators

# HL7 table 0357.
CONDITIONS = {
    0: "Message accepted",
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    104: "Value too long",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    205: "Duplicate key identifier",
    206: "Application record locked",
    207: "Application internal error",
}


class Outcome(msgspec.Struct, frozen=True):
    """What became of a message: ``A`` accepted, ``E`` error, ``R`` rejected.

    ``condition``: a code of HL7 table 0357. ``place``: segment and field, as ("MSH", 12); () where it is no field.
    """

    kind: Literal["A", "E", "R"]
    condition: int = 0
    place: tuple[str, int] | tuple[()] = ()


ACCEPTED = Outcome("A")
NOT_KEPT = Outcome("E", 207)
TOO_LONG = Outcome("R", 104)


class Accepts(msgspec.Struct, frozen=True):
    """Headers that a receiver takes; an empty set takes all. ``types`` hold ``ADT`` or ``ADT^A01``."""

    types: frozenset[str] = frozenset()
    processing_ids: frozenset[str] = frozenset()


class Answer(msgspec.Struct, frozen=True):
    """An acknowledgement as received. ``code``: MSA-1. ``control_id``: MSA-2. ``condition``: table 0357, "" if none."""

    code: str
    control_id: str
    condition: str = ""
    body: bytes = b""

    @property
    def positive(self) -> bool:
        """Whether the other side has the message."""
        return self.code in ("AA", "CA")

    @property
    def worth_repeating(self) -> bool:
        """Whether the same message may be taken later: an internal error or a locked record, not a rejection."""
        return self.code in ("AE", "CE") and self.condition in ("206", "207")


def check_header(header: Header, accepts: Accepts = Accepts()) -> Outcome:  # noqa: B008 (frozen)
    """Whether a message with this header is taken: its separators, MSH-9, MSH-11 and MSH-12."""
    if header.damage:
        return Outcome("R", 100, ("MSH", 2))
    if not header.type:
        return Outcome("R", 200, ("MSH", 9))
    if accepts.types and header.type not in accepts.types and f"{header.type}^{header.event}" not in accepts.types:
        known = any(each.startswith(f"{header.type}^") for each in accepts.types)
        return Outcome("R", 201 if known else 200, ("MSH", 9))
    if accepts.processing_ids and header.processing_id not in accepts.processing_ids:
        return Outcome("R", 202, ("MSH", 11))
    return ACCEPTED if header.version else Outcome("R", 203, ("MSH", 12))


def answer_codes(header: Header, outcome: Outcome, both: bool = False) -> tuple[str, ...]:
    """MSA-1 of the answers that the sender asked for on this connection; () where it wants none.

    With an accept answer the application answer belongs to a later exchange; ``both`` sends it behind the accept
    answer at once. A filled MSH-16 beside an MSH-15 that wants nothing gives the application answer alone.
    """
    if not header.enhanced:
        return ("A" + outcome.kind,)
    wanted = ("AL", "SU") if outcome.kind == "A" else ("AL", "ER")
    accept = ("C" + outcome.kind,) if header.accept in wanted else ()
    application = ("A" + outcome.kind,) if header.application in wanted else ()
    if header.accept in ("", "NE"):
        return application
    return accept + application if both else accept


def acknowledge(
    header: Header, outcome: Outcome, control_id: str, at: Instant, both: bool = False
) -> tuple[bytes, ...]:
    """The answers to one message, in the order in which they go out; see ``answer_codes``.

    ``control_id``: MSH-10 of the first answer (at most 20 characters; a second one gets ``-2`` behind it). ``at``:
    when it is answered (milliseconds).
    """
    return tuple(
        _answer(header, outcome, code, control_id if n == 0 else f"{control_id}-{n + 1}", at)
        for n, code in enumerate(answer_codes(header, outcome, both))
    )


def read_answer(body: bytes) -> Answer:
    """An acknowledgement's code, control id and condition. Raises ``BadMessage`` where it is none."""
    message = parse_message(body)
    msa = message.first("MSA")
    if msa is None or msa.get(1) not in ("AA", "AE", "AR", "CA", "CE", "CR"):
        raise BadMessage("hl7v2.no_answer", "MSA-1")
    err = message.first("ERR")
    condition = msa.get(6)
    if err is not None:
        condition = err.get(3) or err.get(1, 4) or condition
    return Answer(msa.get(1), msa.get(2), condition, body)


def _answer(header: Header, outcome: Outcome, code: str, control_id: str, at: Instant) -> bytes:
    used, version = header.separators, header.version or "2.5"
    field, component = used.field, used.component
    kind = "ACK"
    if header.event:
        kind += component + header.event + (component + "ACK" if version >= "2.3.1" else "")
    # An answer to the answer is wanted by nobody.
    quiet = ("NE", "NE") if header.enhanced else ("", "")
    msh = [
        "MSH",
        used.declared or "^~\\&",
        *header.receiving,
        *header.sending,
        _stamp(at // 1000),
        "",
        kind,
        control_id,
        header.processing_id or "P",
        version,
        "",
        "",
        *quiet,
        "",
        header.declared,
    ]
    msa = ["MSA", code, header.control_id]
    segments = [field.join(msh).rstrip(field), ""]
    if outcome.kind == "A":
        segments[1] = field.join(msa).rstrip(field)
    else:
        words = CONDITIONS[outcome.condition]
        old = version < "2.5"
        # Before 2.4 the words stand in MSA-3; the condition in MSA-6 too, for those who read no ERR.
        msa += [words, "", "", _coded(outcome.condition, component)] if old else []
        segments[1] = field.join(msa)
        segments.append(_err_old(outcome, used) if old else _err(outcome, used))
    return ("\r".join(segments) + "\r").encode(header.charset, "replace")


def _coded(condition: int, separator: str) -> str:
    return separator.join((str(condition), CONDITIONS[condition], "HL70357"))


def _err(outcome: Outcome, used: Separators) -> str:
    """ERR as of 2.5: location, code of table 0357, severity, and the words for a person."""
    place = used.component.join((outcome.place[0], "1", str(outcome.place[1]))) if outcome.place else ""
    code = _coded(outcome.condition, used.component)
    return used.field.join(("ERR", "", place, code, "E", "", "", "", CONDITIONS[outcome.condition]))


def _err_old(outcome: Outcome, used: Separators) -> str:
    """ERR up to 2.4: one field of segment, sequence, field and the coded condition in sub-components."""
    segment, position = (outcome.place[0], str(outcome.place[1])) if outcome.place else ("", "")
    code = _coded(outcome.condition, used.sub) if used.sub != NEVER else str(outcome.condition)
    return used.field.join(("ERR", used.component.join((segment, "1" if segment else "", position, code))))


@lru_cache(maxsize=4)
def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S+0000")
