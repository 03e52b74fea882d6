"""What a node checks in the hub's messages before it does anything: signatures, sets, agreement."""

from __future__ import annotations

from xinglin.kernel.verdict import Denied, Verdict, deny, every
from xinglin.secure import rules
from xinglin.secure.errors import Refused
from xinglin.secure.messages import (
    Adverts,
    Begin,
    Endorsed,
    Endorsement,
    as_uploaded,
    check,
    parse,
)
from xinglin.secure.party_state import PartyState
from xinglin.secure.ports import Verify


def judge_adverts(state: PartyState, message: Adverts, verify: Verify) -> tuple[int, ...]:
    """1 each is signed by a roster key; 2 nobody twice, no key twice; 3 mine is the one I sent; 4 enough of them."""
    session = state.session
    for advert in message.adverts:
        check(advert, session, verify)
    senders = tuple(sorted(advert.sender for advert in message.adverts))
    keys = [key for advert in message.adverts for key in (advert.channel_key, advert.mask_key)]
    if len(set(keys)) != len(keys):
        raise Refused(deny("secure.same_key", "Two hospitals sent the same key.", "Run without them, and ask why."))
    mine = parse(state.answers["advertise"].reply)
    if mine not in message.adverts:
        raise Refused(deny("secure.not_mine", "This node's own advert is missing or changed."))
    _demand(_sets(state, senders, tuple(range(len(session.members)))))
    return senders


def judge_begin(state: PartyState, message: Begin, verify: Verify) -> tuple[int, ...]:
    """1 each is signed; 2 all saw the adverts that I saw; 3 mine is among them; 4 enough of them are left."""
    for share in message.shares:
        did = check(share, state.session, verify)
        if share.adverts != state.adverts:
            raise Refused(
                deny("secure.other_adverts", f"{did} was shown other keys than this node.", "End the run."), who=did
            )
    senders = tuple(sorted(share.sender for share in message.shares))
    _demand(_sets(state, senders, state.members))
    return senders


def judge_endorsed(state: PartyState, message: Endorsed, verify: Verify) -> None:
    """Numbered as done.

    1 it speaks of the set that this node stands for, which still suits it; 2 the upload of each survivor,
    once, is endorsed by its signature over all participants; 3 mine is mine; 4 all computed from the same
    state, with one layout and roster key; 5 no mask key comes twice; 6 for a smaller set, t survivors
    signed it over the same uploads.
    """
    session, chosen = state.session, state.stands
    if message.survivors != chosen:
        raise Refused(rules.another_set())
    _demand(_sets(state, chosen, state.members))
    uploads = {upload.sender: upload for upload in message.uploads}
    if tuple(sorted(uploads)) != chosen or len(message.uploads) != len(chosen):
        raise Refused(deny("secure.uploads_missing", "Not every survivor's endorsement came, once."))
    for upload in message.uploads:
        did = check(upload, session, verify)
        if upload.round != state.round or upload.survivors != state.members:
            raise Refused(
                deny("secure.other_set", f"{did} took part with other hospitals or in another round."), who=did
            )
    if uploads[state.me] != state.endorsement:
        raise Refused(deny("secure.not_mine", "This node's own endorsement is missing or changed."))
    _demand(_agree(state, message.uploads))
    if len({upload.mask_key for upload in message.uploads}) != len(message.uploads):
        raise Refused(deny("secure.same_key", "Two hospitals sent the same key.", "Run without them, and ask why."))
    if chosen != state.members:
        _signatures(state, message, uploads, verify)


def _signatures(state: PartyState, message: Endorsed, uploads: dict[int, Endorsement], verify: Verify) -> None:
    signers = set()
    for endorsement in message.endorsements:
        did = check(endorsement, state.session, verify)
        own = uploads.get(endorsement.sender)
        if own is None or endorsement.survivors != state.stands or as_uploaded(endorsement, own) != own:
            raise Refused(deny("secure.other_set", f"{did} endorsed something else."), who=did)
        signers.add(endorsement.sender)
    if len(signers) < state.session.threshold:
        raise Refused(
            deny(
                "secure.few_signatures",
                f"{len(signers)} hospitals endorsed these survivors; {state.session.threshold} are needed.",
                "Wait for more of them to sign.",
            )
        )


def _agree(state: PartyState, uploads: tuple[Endorsement, ...]) -> Verdict:
    mine = next(upload for upload in uploads if upload.sender == state.me)
    verdicts: list[Verdict] = []
    for name, words in (
        ("state", "computed from another state"),
        ("layout", "encoded in another layout"),
        ("shape", "encoded in another layout"),
        ("confirm", "holds another roster key"),
    ):
        differing = [state.session.did(u.sender) for u in uploads if getattr(u, name) != getattr(mine, name)]
        if differing:
            verdicts.append(
                deny(f"secure.{name}_differs", f"{', '.join(differing)} {words} than this node.", "End the run.")
            )
    return every(verdicts) if verdicts else rules.ALLOWED


def _sets(state: PartyState, chosen: tuple[int, ...], within: tuple[int, ...]) -> Verdict:
    return every(
        [
            rules.check_set(state.session, chosen, within, state.opened),
            rules.check_own(state.session, chosen, state.me, state.pinned),
        ]
    )


def _demand(verdict: Verdict) -> None:
    if isinstance(verdict, Denied):
        raise Refused(verdict)
