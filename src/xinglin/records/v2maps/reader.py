"""HL7 v2 messages and batch files as a reader."""

from __future__ import annotations

from collections.abc import Iterator

from xinglin.records.hl7v2.batch import split_batch
from xinglin.records.hl7v2.errors import BadMessage
from xinglin.records.hl7v2.message import parse_message
from xinglin.records.model import Read, ReadContext, Resource, Unread
from xinglin.records.v2maps.mapping import map_message

MEDIA_TYPES = ("x-application/hl7-v2+er7", "application/hl7-v2", "application/edi-hl7v2")
RESOURCES_A_PART = 5_000
"""A part of a large batch file is given when it holds so many resources."""


class Hl7v2Reader:
    """One message or a batch file to FHIR resources (a ``records.model.Reader``).

    A message is what its resources are (a partial version each), or one *unread* record (it is no message, or names
    no patient), or one *ignored* record (its type has no map): what was received is always accounted for. One bad
    message of a file is unread alone; places are ``message[3]/PID``, or ``PID`` where there is one message only.
    """

    media_types = MEDIA_TYPES

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """Parts in order. Raises ``BadMessage`` where the object holds no message at all, ``BadMapping`` where the
        source's ``[hl7v2]`` table is not known."""
        part = _Part()
        several = body[:3] != b"MSH" or body.count(b"MSH") > 1
        for place, message in _messages(body, several):
            if isinstance(message, BadMessage):
                part.bad(f"{place}/{message.place}" if message.place else place, message)
            else:
                self._one(message, f"{place}/" if several else "", context, part, several)
            if len(part.resources) >= RESOURCES_A_PART:
                yield part.given()
                part = _Part()
        yield part.given()

    def _one(self, data: bytes, place: str, context: ReadContext, part: _Part, several: bool) -> None:
        try:
            message = parse_message(data, context.charset)
        except BadMessage as bad:
            if not several:
                raise
            part.bad(place + bad.place, bad)
            return
        found = map_message(message, context)
        if found.ignored or not (found.resources or found.unread):
            why = found.ignored or "hl7v2: a message that tells nothing"
            part.ignored[why] = part.ignored.get(why, 0) + 1
        part.unread.extend(Unread(place + one.place, one.code, one.words) for one in found.unread)
        part.resources.extend(found.resources if not place else (_placed(one, place) for one in found.resources))


class _Part:
    def __init__(self) -> None:
        self.resources: list[Resource] = []
        self.unread: list[Unread] = []
        self.ignored: dict[str, int] = {}

    def bad(self, place: str, bad: BadMessage) -> None:
        self.unread.append(Unread(place, bad.code, bad.what))

    def given(self) -> Read:
        received = len(self.resources) + len(self.unread) + sum(self.ignored.values())
        return Read(received, tuple(self.resources), unread=tuple(self.unread), ignored=self.ignored)


def _messages(body: bytes, several: bool) -> Iterator[tuple[str, bytes | BadMessage]]:
    """Messages with their places; what is wrong with the file's trailers comes last, as a finding of its own."""
    if not several:
        yield "message[1]", body
        return
    split, any_message = split_batch(body), False
    while True:
        try:
            place, message = next(split)
        except StopIteration:
            return
        except BadMessage as bad:
            if not any_message:
                raise
            yield "file", bad
            return
        any_message = True
        yield place, message


def _placed(one: Resource, place: str) -> Resource:
    return Resource(
        one.body, place + one.place, one.flags, one.partial, one.cleared, one.version_at, one.extra
    )  # fmt: skip
