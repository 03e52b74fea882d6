"""One message on its way to resources: what the families of messages share."""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.records.hl7v2.message import Message, Segment
from xinglin.records.model import Flag, ReadContext, Resource
from xinglin.records.v2maps import keys
from xinglin.records.v2maps.engine import Scope, segment_map
from xinglin.records.v2maps.nodes import Link, Shared, finished
from xinglin.records.v2maps.options import GB_SEX, Options
from xinglin.records.v2maps.times import instant_of, named_zone
from xinglin.records.v2maps.values import View

Node = dict[str, Any]


class Draft:
    """The resources of one message in the making."""

    def __init__(self, message: Message, context: ReadContext, options: Options) -> None:
        self.message = message
        self.options = options
        self.header = View(message.segments[0], message)
        sent_at = self.header.get(7)
        zone = (named_zone(sent_at) if options.zone == "message" else "") or context.zone
        self.zone = "Z" if zone in ("UTC", "Z", "+00:00") else zone
        reading = (message.encoding, message.charset)
        self.scope = Scope(self.zone, {} if options.sex == "hl7" else GB_SEX, reading)
        self.scope.views["MSH"] = self.header
        self.version_at = instant_of(sent_at, self.zone)
        self.out: list[Resource] = []
        self.patient = ""
        self.encounter = ""
        self._mentioned: set[str] = set()
        self._places: set[str] = set()
        self._recorded: list[Mention] = []
        self._ids: dict[str, int] = {}

    def view(self, segment: Segment) -> View:
        """The segment for the maps; rows of other segments see it as the current one of its name."""
        found = View(segment, self.message)
        self.scope.views[segment.name] = found
        return found

    def apply(self, name: str, view: View, node: Node) -> None:
        """Run a map."""
        segment_map(name).apply(view, node, self.scope)

    def take_cleared(self) -> tuple[str, ...]:
        """FHIR paths that were emptied since the last call."""
        found = tuple(dict.fromkeys(self.scope.cleared))
        self.scope.cleared.clear()
        return found

    def instant(self, text: str) -> int:
        """Milliseconds of a v2 time; 0 where there is none."""
        return instant_of(text, self.zone) if text else 0

    def reference(self, kind: str, key: str) -> Node | None:
        """A reference, where there is something to refer to."""
        return {"reference": f"{kind}/{key}"} if key else None

    def about(self, node: Node, *, patient: str = "subject", encounter: str = "encounter") -> None:
        """Say whose it is."""
        if patient and self.patient:
            node.setdefault(patient, {"reference": f"Patient/{self.patient}"})
        if encounter and self.encounter:
            node.setdefault(encounter, {"reference": f"Encounter/{self.encounter}"})

    def unique(self, kind: str, key: str) -> str:
        """The key, or for its second use in this message a key of its own."""
        used = self._ids.get(f"{kind}/{key}", 0)
        self._ids[f"{kind}/{key}"] = used + 1
        return keys.fact_id("", key, str(used + 1)) if used else key

    def add(
        self,
        kind: str,
        key: str,
        node: Node,
        place: str,
        *,
        version_at: int = 0,
        extra: dict[str, str] | None = None,
        flags: tuple[Flag, ...] = (),
    ) -> None:
        """Finish a resource, with those that it mentions before it."""
        cleared = self.take_cleared()
        body = finished(node, self) or {}
        whole = {"resourceType": kind, "id": key, **body}
        self.out.append(
            Resource(
                whole, self._place(place), flags, partial=True, cleared=cleared,
                version_at=version_at or self.version_at, extra=extra or {},
            )
        )  # fmt: skip

    def _place(self, place: str) -> str:
        """A place that this message has given to no other resource."""
        name, number = place.partition("[")[0], 2
        while place in self._places:
            place, number = f"{name}[{number}]", number + 1
        self._places.add(place)
        return place

    # What nodes mention.

    def link(self, link: Link) -> Node | None:
        """The reference of a Link; its resource is given before what refers to it."""
        node = link.node
        body = finished(node, self)
        if body is None:
            return None
        if isinstance(node, Shared):
            node.linked = mention = node.linked or _mention(link.kind, body)
        else:
            mention = _mention(link.kind, body)
        self._give(mention)
        return mention.reference

    def shared(self, node: Shared) -> Any:
        """The finished form of a shared node: made once, its mentions given in each message."""
        if node.mentions is None:
            above, self._recorded = self._recorded, []
            node.done = finished(dict(node), self)
            node.mentions, self._recorded = self._recorded, above
            self._recorded.extend(node.mentions)
        else:
            for mention in node.mentions:
                self._give(mention)
        return node.done

    def _give(self, mention: Mention) -> None:
        self._recorded.append(mention)
        # The same organisation is mentioned all over a message; what says something else is another version of it.
        if mention.mark not in self._mentioned:
            self._mentioned.add(mention.mark)
            place = self._place(f"{mention.body['resourceType']}[1]")
            self.out.append(Resource(mention.body, place, partial=True, version_at=self.version_at))


class Mention(msgspec.Struct, frozen=True):
    """A resource that another one refers to; ``mark`` is all that it says."""

    body: Node
    mark: str
    reference: Node


def _mention(kind: str, body: Node) -> Mention:
    key = keys.of_body(kind, body)
    whole = {"resourceType": kind, "id": key, **body}
    return Mention(whole, keys.content_of(whole), {"reference": f"{kind}/{key}"})
