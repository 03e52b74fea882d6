r"""Profiles compiled for HL7 v2: a message is written anew from the positions that are named.

What no list names is not copied: segments (Z-segments among them), fields, further components, sub-components, and
what stands behind them. A kept value is unescaped and escaped again, so that nothing hides in an escape sequence.
Where a position holds dates or numbers, only those are kept. Of a segment that a broken line continues, the field in
which it broke is not given: where its text ends is not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache

from xinglin.privacy.deidentify.columns import Secrets
from xinglin.privacy.deidentify.dates import change_v2_date
from xinglin.privacy.deidentify.errors import BadProfile, BadRecord
from xinglin.privacy.deidentify.model import DROP, KEEP, Action, Profile
from xinglin.privacy.deidentify.names import read_spec
from xinglin.privacy.deidentify.notes import Note
from xinglin.privacy.deidentify.own_record import known_of_pid
from xinglin.privacy.deidentify.record import Record
from xinglin.privacy.deidentify.tables import first_year
from xinglin.privacy.deidentify.texts import change_number, change_text
from xinglin.privacy.deidentify.v2_forms import OBX_TYPES, Test, charset_name, test_of_position
from xinglin.records.hl7v2.errors import BadMessage
from xinglin.records.hl7v2.escape import unescape
from xinglin.records.hl7v2.message import Message, parse_message
from xinglin.records.hl7v2.separators import NEVER, Separators
from xinglin.records.v2maps.keys import best_cx, hashed, of_cx
from xinglin.records.v2maps.values import View

Change = Callable[[str, Record], str | None]
Parts = list[tuple[int, int, Change]]
Fields = list[tuple[int, Parts, Change | None]]
"""By position, in order."""
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{0,15})?")
_ESCAPED = {"\r": "\\X0D\\", "\n": "\\.br\\"}
_NUMBERED = ("PID", "MRG", "PV1")
_HEADER_FIELDS, _CHARSET_FIELD = 2, 18
_PLAIN = re.compile(r"[^\\|^&~\r\n\x00]*")


class MessagePlan:
    """What becomes of HL7 v2 messages under one profile."""

    def __init__(self, profile: Profile, secrets: Secrets, today: date | None, note: Note) -> None:
        self._secrets, self._today, self._note = secrets, today, note
        self._has_notes = any(action.do == "note" for specs in profile.hl7v2.values() for action in specs.values())
        self._segments: dict[str, dict[str, Fields]] = {
            name: self._fields(name, specs)
            for name, specs in profile.hl7v2.items()
            if any(action != DROP for action in specs.values())
        }

    def apply(self, data: bytes, namespace: str) -> bytes:
        """One message. Raises ``BadRecord`` where the bytes are none; then nothing is given."""
        try:
            message = parse_message(data)
        except BadMessage as error:
            raise BadRecord("It is no HL7 v2 message.", place="hl7v2", why=error.code) from error
        record = self._record(message, 0, namespace)
        given = _unbroken(message, data)
        lines = []
        for number, segment in enumerate(message.segments):
            if segment.name == "PID":
                record = self._record(message, number, namespace)
            plan = self._segments.get(segment.name)
            if plan is None:
                continue
            if segment.name in _NUMBERED:
                record.own = _own_key(View(segment, message), namespace)
            line = self._line(segment.name, given[number], plan, message.encoding, record)
            if line:
                lines.append(line)
        if not lines or not lines[0].startswith("MSH"):
            lines.insert(0, "MSH|^~\\&")
        return ("\r".join(lines) + "\r").encode(message.charset, "replace")

    def _record(self, message: Message, start: int, namespace: str) -> Record:
        pid = next((segment for segment in message.segments[start:] if segment.name == "PID"), None)
        person = _own_key(View(pid, message), namespace) if pid else None
        known = known_of_pid(pid) if pid and self._has_notes else None
        return Record(self._secrets, namespace, person, {}, known)

    def _line(self, name: str, line: str, plan: Mapping[str, Fields], used: Separators, record: Record) -> str:
        given = line.split(used.field)
        header = name == "MSH"
        if header:
            given.insert(1, used.field)
        chosen = plan.get(given[2].strip() if name == "OBX" and len(given) > 2 else "") or plan[""]
        plain = _plain_of(used)
        out = [""] * len(given)
        for position, parts, first in chosen:
            if position >= len(given):
                break
            raw = given[position]
            if not raw or (header and position <= _HEADER_FIELDS):
                continue
            if header and position == _CHARSET_FIELD:
                out[position] = charset_name(raw, used)
            elif plain(raw):
                new = first(raw, record) if first and raw != '""' else raw if first else None
                out[position] = _escape(new) if new else ""
            else:
                out[position] = _field(raw, name, parts, used, record)
        if header:
            return ("MSH|^~\\&|" + "|".join(out[3:])).rstrip("|")
        return (name + "|" + "|".join(out[1:])).rstrip("|") if any(out) else ""

    def _fields(self, name: str, specs: Mapping[str, Action]) -> dict[str, Fields]:
        """The changes of a segment's positions, by the type in OBX-2; under "" those that hold for every one."""
        plans: dict[str, dict[int, Parts]] = {"": {}, **{kind: {} for kind in OBX_TYPES if name == "OBX"}}
        for spec in specs:
            plans.setdefault(read_spec(name, spec)[3], {})
        for spec, action in specs.items():
            if action == DROP:
                continue
            field, component, sub, kind = read_spec(name, spec)
            change = None if action == KEEP else self._change(f"hl7v2.{name}.{spec}", action)
            for each in plans if not kind else (kind,):
                made = change or _kept(test_of_position(name, (field, component, sub), each))
                plans[each].setdefault(field, []).append((component, sub, made))
        return {kind: [(at, fields[at], _first(fields[at])) for at in sorted(fields)] for kind, fields in plans.items()}

    def _change(self, place: str, action: Action) -> Change:
        if action.do == "substitute":
            return lambda text, record: str(action.value)
        if action.do == "pseudonymise":
            own = place in ("hl7v2.PID.3", "hl7v2.MRG.1", "hl7v2.PV1.19")
            return _own_number if own else lambda text, record: record.pseudonym(text)
        if action.do == "note":
            return lambda text, record: self._note(text, record.dictionary)
        if action.on_numbers:
            return lambda text, record: _number(text, action, record, place)
        if action.on_texts:
            return lambda text, record: change_text(text, action)
        if not (action.on_dates or action.oldest):
            raise BadProfile("Nothing that is done to a field of HL7 v2.", place=place)
        first, days = first_year(action, self._today, place), action.shift_days

        def dated(text: str, record: Record) -> str | None:
            return change_v2_date(text, action, record.shift(days) if days else None, first)

        return dated


def _kept(test: Test | None) -> Change:
    """A text stays where it has the form of its position; numbers without the blanks around them."""
    if test is None:
        return lambda text, record: text

    def kept(text: str, record: Record) -> str | None:
        del record
        bare = text.strip(" ")
        return bare if test(bare) else None

    return kept


def _unbroken(message: Message, data: bytes) -> list[str]:
    """The lines of the segments, without what broken lines added to them and without the fields that broke."""
    whole = [segment.raw for segment in message.segments]
    if "hl7v2.segment_wrapped" not in message.flags:
        return whole
    begun = [segment.raw for segment in parse_message(data, joined=False).segments]
    return [
        one if one == other else other.rpartition(message.encoding.field)[0]
        for one, other in zip(whole, begun, strict=True)
    ]


def _own_number(text: str, record: Record) -> str | None:
    """The number of a person or visit becomes the one under which tables and resources know it."""
    del text
    return record.pseudonym(record.own).rpartition("/")[2] if record.own else None


def _own_key(view: View, namespace: str) -> str | None:
    """The key of the person or visit that a segment is about, as the intake makes it."""
    if view.name == "PV1":
        kind, best = "Encounter", next(iter(view.reps(19)), None)
    else:
        kind = "Patient"
        best = best_cx([*view.reps(3), *view.reps(2), *view.reps(4)] if view.name == "PID" else view.reps(1))
    own = of_cx(best) if best else ""
    if not own and view.name == "PID" and view.get(19):
        own = hashed("PID-19", view.get(19))
    return (f"{namespace}/{kind}/{own}" if namespace else f"{kind}/{own}") if own else None


def _first(parts: Parts) -> Change | None:
    """What is done with a field that has nothing but its first component."""
    return next((change for component, sub, change in parts if component == sub == 1), None)


@lru_cache(maxsize=64)
def _plain_of(used: Separators) -> Callable[[str], object]:
    """Whether a field is one text, by a message's own separators."""
    marks = "".join(re.escape(mark) for mark in (used.component, used.repetition, used.sub, used.escape))
    return re.compile(f"[^{marks}]*").fullmatch


def _field(raw: str, segment: str, parts: Parts, used: Separators, record: Record) -> str:
    told = [_repetition(each, parts, used, record) for each in raw.split(used.repetition)]
    if segment in ("PID", "MRG") and len(told) > 1:
        # Every number of a person becomes the same pseudonym: it is said once.
        told = list(dict.fromkeys(told))
    return "~".join(told).rstrip("~")


def _repetition(raw: str, parts: Parts, used: Separators, record: Record) -> str:
    given = raw.split(used.component)
    texts: dict[int, dict[int, str]] = {}
    for component, sub, change in parts:
        text = given[component - 1] if component <= len(given) else ""
        if used.sub in text or sub > 1:
            subs = text.split(used.sub)
            text = subs[sub - 1] if sub <= len(subs) else ""
        if used.escape in text:
            text = unescape(text, used)
        new = change(text, record) if text and text != '""' else text
        if new:
            texts.setdefault(component, {})[sub] = _escape(new)
    if len(texts) == 1 and 1 in texts and len(texts[1]) == 1 and 1 in texts[1]:
        return texts[1][1]
    whole = [
        "&".join(texts.get(n, {}).get(m, "") for m in range(1, max(texts.get(n, {0: ""})) + 1))
        for n in range(1, max(texts, default=0) + 1)
    ]
    return "^".join(whole)


def _number(text: str, action: Action, record: Record, place: str) -> str | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text) if "." in text else int(text)
    return str(change_number(value, action, record.draw(place, value) if action.span else 0.0))


def _escape(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    text = text.replace("\\", "\\E\\")
    for mark, letter in (("|", "F"), ("^", "S"), ("&", "T"), ("~", "R")):
        text = text.replace(mark, f"\\{letter}\\")
    for mark, sequence in _ESCAPED.items():
        text = text.replace(mark, sequence)
    return text.replace(NEVER, "")
