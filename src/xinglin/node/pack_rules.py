"""Disclosure packs at this node: the shipped ones and the hospital's own, what is asked of a plan, what is published.

A hospital's own packs are ``disclosure_packs/NAME.toml`` in the node's folder; shipped names always mean the shipped
packs. What the agreement's policy and the hospital's own policy name is what every plan of statistics has to carry, as
strict or stricter: neither the hub nor who asks is trusted with the comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from xinglin.access.output_review import VOTES_ASKED
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason
from xinglin.node.house_policy import HousePolicy
from xinglin.terms.pack_named import NamedPacks, packs_asked, packs_required
from xinglin.terms.policy import Policy
from xinglin.terms.request import Plan
from xinglin.terms.synthetic import is_handed_over

if TYPE_CHECKING:
    from xinglin.contract import Agreement
    from xinglin.privacy.packs import Pack

PACKS_FOLDER = "disclosure_packs"
_ROUND_ALIKE = "Leave further packs that round out; ask hospitals that round otherwise apart (data.at)."
OWN_PACKS = Limit("disclosure packs of a hospital's own", 32, "packs")


Answered = Callable[[], tuple[Sequence[Instant], Instant]]


class PacksFound(msgspec.Struct, frozen=True):
    """``reasons``: against a plan. ``kept``: names and digests of the packs that it keeps; ``None`` is not known."""

    reasons: tuple[Reason, ...] = ()
    kept: tuple[str, ...] | None = None


class NodePacks:
    """Finds packs, and judges plans by those that the hospital asks for."""

    def __init__(self, folder: Path, house: HousePolicy | None = None) -> None:
        self._folder, self._house = folder, house
        self.reviewers: Callable[[], int] | None = None
        self._read: tuple[tuple[str, ...], dict[str, Pack]] | None = None

    def judge(
        self, plan: Plan, operation: str, agreement: Agreement | None, answered: Answered | None = None
    ) -> PacksFound:
        """What this hospital's packs have against a plan; of rows handed over nothing: profile and k hold there.

        ``answered``: when the same question was answered before, and what time it is now.
        """
        if is_handed_over(plan):
            return PacksFound()
        try:
            asked = self.asked(operation, agreement)
            if plan.named is None:
                return PacksFound(tuple(_not_carried(name) for name in asked), ())
            found = self._compared(plan, asked)
            more = (*self._unmanned(operation, agreement, plan), *_repeated(plan.named, answered))
            return msgspec.structs.replace(found, reasons=(*found.reasons, *more))
        except (XinglinError, OSError, UnicodeDecodeError) as error:
            what = getattr(error, "what", type(error).__name__)
            words = f"The disclosure packs of the plan, or of this hospital, cannot be read: {what}"
            return PacksFound((Reason("terms.pack_unreadable", words, "Make the strictest pack again."),), None)

    def asked(self, operation: str, agreement: Agreement | None) -> tuple[str, ...]:
        """Names and digests of the packs without which this hospital allows nothing."""
        policies = self._policies(agreement)
        return tuple(sorted({name for policy in policies for name in packs_required(policy, operation)}))

    def mentioned(self, operation: str, agreement: Agreement | None) -> set[str]:
        """Names and digests of every pack that this hospital's policies name, as alternatives too."""
        return {name for policy in self._policies(agreement) for name in packs_asked(policy, operation)}

    def _policies(self, agreement: Agreement | None) -> list[Policy]:
        policies = [self._house.house().policy if self._house is not None else None]
        if agreement is not None and isinstance(agreement.terms.policy, Policy):
            policies.append(agreement.terms.policy)
        return [policy for policy in policies if policy is not None]

    def own(self) -> dict[str, Pack]:
        """The hospital's own packs by digest; raises ``BadPack`` for a file that is none."""
        from xinglin.privacy.packs import pack_digest, read_pack

        packs = [read_pack(text) for text in self.texts()]
        return {pack_digest(pack): pack for pack in packs}

    def texts(self) -> tuple[str, ...]:
        """The files of the hospital's own packs."""
        files = sorted((self._folder / PACKS_FOLDER).glob("*.toml"))
        OWN_PACKS.check(len(files))
        return tuple(file.read_text(encoding="utf-8") for file in files)

    def reviewers_asked(self, operation: str, agreement: Agreement | None, plan: Plan) -> int:
        """How many people of this hospital have to look: the most that any pack asks for that its policies mention.

        Of packs that they name as alternatives, those that the plan keeps. A pack that is not here asks for two.
        """
        from xinglin.privacy.packs import carried_pack
        from xinglin.privacy.packs.strictest import keeps

        carried = None if plan.named is None else carried_pack(plan.named)
        named = {name for part in (plan.named.parts if plan.named else ()) for name in (part.name, part.digest)}
        known, required = self._known(), set(self.asked(operation, agreement))
        found = 0
        for name in required | self.mentioned(operation, agreement):
            pack = known.get(name)
            if pack is None:
                found = max(found, 2 if name in required | named else 0)
            elif name in required or (carried is not None and keeps(carried, pack)):
                found = max(found, pack.settings.reviewers)
        return found

    def _unmanned(self, operation: str, agreement: Agreement | None, plan: Plan) -> list[Reason]:
        """Packs that ask for people are kept only where the hospital has appointed that many."""
        asked = self.reviewers_asked(operation, agreement, plan)
        needed = max(asked, VOTES_ASKED) if asked else 0
        if not needed or self.reviewers is None or self.reviewers() >= needed:
            return []
        words = f"The hospital's packs ask for {needed} persons to look at each result, and it has appointed fewer."
        return [Reason("terms.pack_no_reviewers", words, "Have it appoint them: xinglin node review reviewers.")]

    def _known(self) -> dict[str, Pack]:
        """Every pack that is here, by name and by digest; a shipped name is the shipped pack's."""
        from xinglin.privacy.packs import SHIPPED, pack_digest, read_pack, shipped

        texts = self.texts()
        if self._read is None or self._read[0] != texts:  # the same files are not read again for each plan
            packs = [read_pack(text) for text in texts]
            found = {pack_digest(pack): pack for pack in packs} | {pack.name: pack for pack in packs}
            for name in SHIPPED:
                found |= {name: shipped(name), pack_digest(shipped(name)): shipped(name)}
            self._read = texts, found
        return self._read[1]

    def _compared(self, plan: Plan, asked: Sequence[str]) -> PacksFound:
        from xinglin.privacy.packs import SHIPPED, at_least, carried_pack, shipped
        from xinglin.privacy.packs.carried import part_of, tightened
        from xinglin.privacy.packs.strictest import keeps

        named, known = plan.named, self._known()
        if named is None:
            return PacksFound()
        carried, reasons = carried_pack(named), []
        for part in named.parts:
            if part.name in SHIPPED and part != part_of(shipped(part.name)):
                words = f"The plan names another pack '{part.name}' than the one of that name."
                reasons.append(Reason("terms.pack_digest", words, "Use the same version of the packs as the hospital."))
        demanded = {name: known.get(name) for name in asked}
        demanded |= {part.digest: known[part.digest] for part in named.parts if part.digest in known}
        for name, pack in demanded.items():
            if pack is None:
                words = f"The hospital asks for the disclosure pack '{name[:80]}', which is not in its node's folder."
                reasons.append(Reason("terms.pack_missing", words, f"Have the hospital put it into {PACKS_FOLDER}/."))
            elif not at_least(carried, pack):
                words = f"The plan's disclosure rules are looser than pack {pack.name}."
                reasons.append(Reason("terms.pack_looser", words, "Carry the strictest of all hospitals' packs."))
            elif not keeps(carried, pack):
                words = f"The plan rounds counts at other places than pack {pack.name}, which would give them back."
                reasons.append(Reason("terms.pack_rounding", words, _ROUND_ALIKE))
        if tightened(plan.rules, carried) != plan.rules:
            words = "The plan's disclosure rules are looser than the packs that it carries."
            reasons.append(Reason("terms.pack_rules", words, "Tighten them by its packs."))
        kept = sorted(name for name, pack in known.items() if keeps(carried, pack))
        return PacksFound(tuple(dict.fromkeys(reasons)), tuple(kept))


def _repeated(named: NamedPacks, answered: Answered | None) -> tuple[Reason, ...]:
    from xinglin.privacy.packs import carried_pack, check_repeats

    if answered is None or not named.settings.get("lock_days"):
        return ()
    earlier, now = answered()
    verdict = check_repeats(carried_pack(named), earlier, now)
    return verdict.reasons if isinstance(verdict, Denied) else ()


def _not_carried(name: str) -> Reason:
    words = f"The plan carries no disclosure packs, and this hospital asks for '{name[:80]}'."
    return Reason("terms.pack_not_carried", words, "Plan it with the hospitals' packs; see the preview.")
