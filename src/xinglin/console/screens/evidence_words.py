"""What each kind of entry says, in plain words; ``%(who)s`` is whoever put it into the log."""

from __future__ import annotations

from collections.abc import Callable

from xinglin.evidence.entry import Entry
from xinglin.words import N_, Words

SENTENCES = {
    "key-registration": N_("%(who)s entered the keys and roles of a participant."),
    "key-change": N_("%(who)s exchanged keys, signed by the old key and the regulator."),
    "key-revocation": N_("%(who)s ended keys: nothing that they sign counts from here on."),
    "revocation": N_("%(who)s recorded that a right ended."),
    "policy": N_("%(who)s set who has to cosign before a checkpoint counts."),
    "agreement": N_("%(who)s signed an agreement; it is in force from here on."),
    "agreement-end": N_("%(who)s ended an agreement: no use under it from here on."),
    "agreement-amendment": N_("%(who)s replaced an agreement by another that both sides signed."),
    "agreement-renewal": N_("%(who)s prolonged an agreement, once."),
    "agreement-suspension": N_("%(who)s suspended an agreement: no use until it is resumed."),
    "agreement-resumption": N_("%(who)s resumed an agreement that it had suspended."),
    "agreement-breach": N_("%(who)s gave, answered or closed a notice of breach."),
    "publication": N_("%(who)s deposited or withdrew a product that rests on earlier releases."),
    "approval": N_("%(who)s recorded a committee's charter or approval."),
    "freeze": N_("%(who)s stopped everything that rests on this: no hospital releases for it."),
    "usage": N_("%(who)s metered units of use under an agreement."),
    "settlement": N_("%(who)s posted credits by rules that every witness replays."),
    "state": N_("%(who)s recorded the root of the replayed state."),
    "request": N_("%(who)s was asked for a use."),
    "decision": N_("%(who)s decided on a use; the reasons are committed to."),
    "refused": N_("%(who)s refused a use; the reasons are committed to and were told to who asked."),
    "admitted": N_("%(who)s admitted a run, before the first upload."),
    "release-authorised": N_("%(who)s authorised that one result leaves, by its salted digest."),
    "delivered": N_("%(who)s recorded that the result reached its recipient."),
    "ended": N_("%(who)s recorded that a run ended and nothing was released."),
    "lookup": N_("%(who)s recorded look-ups in care, by the head of their chain."),
    "break-glass": N_("%(who)s recorded an emergency look-up; it has to be reviewed."),
    "consent": N_("%(who)s recorded a consent, an objection or its withdrawal."),
    "review": N_("%(who)s recorded a review."),
    "intake": N_("%(who)s took data in and committed it."),
    "erasure": N_("%(who)s erased data on demand."),
    "change": N_("%(who)s recorded an administrative change."),
    "evaluation": N_("%(who)s is about to evaluate blinded elements: how many is committed to."),
}
STAGES = {
    "agreed": N_("Agreed"),
    "approved": N_("Approved"),
    "requested": N_("Asked for"),
    "refused": N_("Refused"),
    "admitted": N_("Admitted"),
    "authorised": N_("Release authorised"),
    "delivered": N_("Delivered"),
    "deposited": N_("Made a product"),
    "settled": N_("Settled"),
    "stopped": N_("Stopped"),
    "ended": N_("Ended"),
    "other": N_("Also about it"),
}


def sentence(words: Words, entry: Entry, name: Callable[[str], str]) -> str:
    """One sentence on what the entry records."""
    return words.text(SENTENCES.get(entry.kind, N_("%(who)s put this into the log.")), who=name(entry.submitter))
