"""Third-party security assessments at the node: registered with a signature, believed while they stand.

The signature is the hospital's own or the operator's: it says that such a report exists, and whoever signed answers for
it. One whose digest (or report's digest) the regulator freezes ends at that leaf, as one does whose signer is revoked.
"""

from __future__ import annotations

import logging
from pathlib import Path

from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied
from xinglin.node.intake.wiring import known_assessments, open_assessments
from xinglin.node.logview import LogView
from xinglin.stores.assessment_register import AssessmentRegister
from xinglin.terms.assessment import (
    Assessment,
    BadAssessment,
    check_assessment,
    open_assessment,
    read_statement,
    sign_assessment,
)
from xinglin.trust.envelope import Signed
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.registry import KeyDirectory
from xinglin.wire.errors import Refused
from xinglin.wire.space import Space

log = logging.getLogger("xinglin.node.assessments")
REPORT_BYTES = Limit("report of an assessment", 256 * 1024 * 1024, "bytes")


def add(
    folder: Path, keys: PrivateKeys, statement: str, report: bytes, clock: Clock = system_clock, node: str = ""
) -> tuple[Assessment, str]:
    """Register a third party's report for ``node`` (the signer, where none is named); the digest the log knows it by.

    Raises ``BadAssessment`` and ``Refused`` with every reason why not.
    """
    REPORT_BYTES.check(len(report))
    if not report:
        raise BadAssessment("The report is empty.", remedy="Name the file that the assessor handed out.")
    one = read_statement(statement, node or keys.did, sha256_digest(report))
    return one, keep(folder, sign_assessment(keys, one), one, clock)


def keep(folder: Path, signed: Signed, one: Assessment, clock: Clock = system_clock) -> str:
    """Keep one that was signed; who signed it is looked at when it is needed."""
    verdict = check_assessment(one, clock())
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
    register = open_assessments(folder)
    try:
        return register.keep(one.name, signed, clock())
    finally:
        register.close()


def end(folder: Path, name: str, clock: Clock = system_clock) -> str:
    """An assessment stands no longer. Raises ``BadAssessment`` where there is none of that name."""
    register = known_assessments(folder)
    try:
        if register is None or name not in {one for one, signed in register.history() if signed is not None}:
            raise BadAssessment("There is no such assessment here.", remedy="See: xinglin node assessment list.")
        return register.end(name, clock())
    finally:
        if register is not None:
            register.close()


def registered(folder: Path) -> tuple[tuple[str, Signed | None], ...]:
    """Everything that was registered and ended here, oldest first; nothing is verified."""
    register = known_assessments(folder)
    if register is None:
        return ()
    try:
        return register.history()
    finally:
        register.close()


class NodeAssessments:
    """What stands at one node. Guarantee: what cannot be read or verified does not stand."""

    def __init__(self, node: str, folder: Path, space: Space, view: LogView, clock: Clock) -> None:
        self._node, self._folder, self._view, self._clock = node, folder, view, clock
        self._registrars = frozenset((node, space.operator))
        self._register: AssessmentRegister | None = None
        self._known: tuple[int, tuple[Signed, ...]] = (0, ())
        self._verified: dict[tuple[Signed, str], Assessment] = {}

    def standing(self, data_set: str, below: int | None = None) -> tuple[Assessment, ...]:
        """The assessments that cover a data set now; ``below``: as the log's leaves below that index have it."""
        known = self._view.record.directory
        directory = known if below is None else known.at(below - 1)
        revoked, now, found = self._view.record.revoked_below(below), self._clock(), []
        for signed in self._newest():
            try:
                one = self._opened(signed, directory)
            except XinglinError as error:
                log.warning("an assessment does not stand: %s", error.code)
                continue
            if one.covers(data_set, now) and not {one.digest(), one.document} & revoked:
                found.append(one)
        return tuple(sorted(found, key=lambda one: one.name))

    def close(self) -> None:
        """Close the register, where one was read."""
        if self._register is not None:
            self._register.close()
            self._register = None

    def _opened(self, signed: Signed, directory: KeyDirectory) -> Assessment:
        """Verified once for the same envelope under the same keys."""
        under = (signed, directory.keys(signed.signer).digest())
        if under not in self._verified:
            self._verified[under] = open_assessment(signed, self._node, self._registrars, directory)
        return self._verified[under]

    def _newest(self) -> tuple[Signed, ...]:
        if self._register is None:
            self._register = known_assessments(self._folder)
        if self._register is None:
            return ()
        last = self._register.last()
        if last != self._known[0]:
            self._known, self._verified = (last, self._register.newest()), {}
        return self._known[1]
