"""A DICOM storage user (C-STORE SCU): sends files as they are to a PACS or a workstation, and says what it took."""

from __future__ import annotations

import io
import ssl
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from xinglin.feeds.dicom_model import DicomNotSent
from xinglin.records.dicom import BadDicom, open_header
from xinglin.records.dicom.files import part10
from xinglin.records.dicom.header import dataset_offset

VERIFICATION = "1.2.840.10008.1.1"
DEFAULT_SYNTAX = "1.2.840.10008.1.2"
WARNINGS = frozenset((0xB000, 0xB006, 0xB007))
CONTEXTS_AT_ONCE = 128
"""Presentation contexts of one association (PS3.8 9.3.2.2: odd numbers below 256)."""


class Destination(msgspec.Struct, frozen=True):
    """Another application entity. ``calling``: our title, as it knows it."""

    host: str
    port: int
    title: str
    calling: str = "XINGLIN"
    timeout_s: float = 30.0


class Sent(msgspec.Struct, frozen=True):
    """What became of instances: ``taken`` (``odd`` of them with a warning), and the others by status or cause."""

    taken: int
    odd: int
    statuses: dict[int, int]
    unreadable: int = 0

    @property
    def well(self) -> bool:
        """Whether the other side has everything."""
        return not self.statuses and not self.unreadable


NO_CONTEXT, NO_ANSWER = -1, -2
"""In place of a status: the other side does not take this class or transfer syntax; it did not answer."""


class DicomSender:
    """Sends to one destination; blocks, so call it from a thread. One association for each call."""

    def __init__(self, destination: Destination, tls: ssl.SSLContext | None = None) -> None:
        self._to, self._tls = destination, tls

    def echo(self) -> bool:
        """Whether the other side answers (C-ECHO)."""
        association = self._associate([(VERIFICATION, [DEFAULT_SYNTAX])])
        try:
            return bool(getattr(association.send_c_echo(), "Status", None) == 0)
        finally:
            association.release()

    def send(self, files: Iterable[bytes]) -> Sent:
        """Send each Part 10 file, not re-encoded. Raises ``DicomNotSent`` where no association can be made."""
        waiting, unreadable = [], 0
        for body in files:
            try:
                waiting.append(_described(body))
            except BadDicom:
                unreadable += 1
        wanted = sorted({(one[1], one[3]) for one in waiting})
        if not wanted:
            return Sent(0, 0, {}, unreadable)
        statuses: Counter[int] = Counter()
        for start in range(0, len(wanted), CONTEXTS_AT_ONCE):
            group = set(wanted[start : start + CONTEXTS_AT_ONCE])
            chosen = [one for one in waiting if (one[1], one[3]) in group]
            statuses.update(self._send(chosen, [(sop_class, [syntax]) for sop_class, syntax in sorted(group)]))
        odd = sum(statuses.pop(status, 0) for status in WARNINGS)
        return Sent(statuses.pop(0, 0) + odd, odd, dict(statuses), unreadable)

    def _send(self, chosen: list[tuple[bytes, str, str, str]], contexts: list[tuple[str, list[str]]]) -> Counter[int]:
        from pydicom import dcmread

        association = self._associate(contexts)
        statuses: Counter[int] = Counter()
        try:
            for body, sop_class, instance, syntax in chosen:
                if not association.is_established:
                    statuses[NO_ANSWER] += 1
                    continue
                plain = part10(body[dataset_offset(body) :], sop_class, instance, syntax)
                try:
                    answer = association.send_c_store(dcmread(io.BytesIO(plain)))
                except ValueError:
                    statuses[NO_CONTEXT] += 1
                    continue
                statuses[int(getattr(answer, "Status", NO_ANSWER))] += 1
        finally:
            if association.is_established:
                association.release()
        return statuses

    def _associate(self, contexts: list[tuple[str, list[str]]]) -> Any:
        from pynetdicom import AE

        entity = AE(ae_title=self._to.calling)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = self._to.timeout_s
        entity.connection_timeout = self._to.timeout_s
        for sop_class, syntaxes in contexts:
            entity.add_requested_context(sop_class, syntaxes)
        arguments: dict[str, Any] = {"tls_args": (self._tls, self._to.host)} if self._tls else {}
        association = entity.associate(self._to.host, self._to.port, ae_title=self._to.title, max_pdu=0, **arguments)
        if not association.is_established:
            why = "It rejected the association." if association.is_rejected else "It does not answer."
            raise DicomNotSent(
                "The other application entity made no association.", {}, why=why, remedy="Check address and titles."
            )
        return association


def _described(body: bytes) -> tuple[bytes, str, str, str]:
    header = open_header(body)
    sop_class = header.text("SOPClassUID") or header.meta.sop_class
    instance = header.text("SOPInstanceUID") or header.meta.sop_instance
    if not sop_class or not instance:
        raise BadDicom("The header names no instance.")
    return body, sop_class, instance, header.meta.transfer_syntax or DEFAULT_SYNTAX
