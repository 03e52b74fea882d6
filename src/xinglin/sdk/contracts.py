"""The consumer's side of contracts: one application to many hospitals, what replaces an agreement, what ends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.contract.agreement import Agreement, sign_agreement
from xinglin.contract.changes import KIND_OF, Change, sign_change
from xinglin.contract.lifecycle import check_replacement
from xinglin.contract.replay import History, may_change
from xinglin.contract.study import Application, Study, sign_application
from xinglin.contract.templates.drafting import load_template, offers
from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import sign_batch
from xinglin.kernel.verdict import Denied
from xinglin.sdk.errors import NoAgreement, Refused
from xinglin.terms.agreed import CohortView, Peer
from xinglin.trust.envelope import Signed
from xinglin.wire.calls import AgreementCall, AgreementView

if TYPE_CHECKING:
    from xinglin.sdk.session import Held, Session

_DAY_MS = 86_400_000


class Applied(msgspec.Struct, frozen=True):
    """A signed application, to be handed to whoever asks, and the offer that each hospital was sent."""

    signed: Signed
    application: Application
    views: tuple[AgreementView, ...]


def apply_for(
    space: Session,
    study: Study,
    *,
    template: str,
    data_set: str,
    cohort: Mapping[str, str],
    variables: Sequence[str],
    days: int = 0,
    allowance: int = 0,
    hospitals: Sequence[str] | None = None,
) -> Applied:
    """Sign one application of a study by a packaged template, and send it with what follows from it to every hospital.

    ``hospitals``: DIDs, by default all that publish ``data_set``. Raises ``NoAgreement``, ``NotThisStudy``,
    ``NotThisAgreement`` and ``BadRules``; then nothing was sent.
    """
    publishing = space.data_sets(data_set).get(data_set, {})
    chosen = sorted(publishing if hospitals is None else hospitals)
    if not chosen or not set(chosen) <= set(publishing):
        raise NoAgreement(f"No chosen hospital publishes {data_set!r}.", remedy="See space.data_sets().")
    space.log.refresh()
    directory, written = space.log.record.directory, load_template(template)
    application = Application(
        study=study,
        template=written.name,
        template_digest=written.digest(),
        data_set=data_set,
        cohort=tuple(CohortView(name, select) for name, select in sorted(cohort.items())),
        variables=tuple(sorted(variables)),
        consumer=Peer(space.account.did, space.account.keys.public.digest()),
        hospitals=tuple(Peer(did, directory.keys(did).digest()) for did in chosen),
        made=space.clock(),
        days=days,
        allowance=allowance,
    )
    made = offers(application, written)
    signed = sign_application(space.account.keys, application)
    return Applied(signed, application, tuple(_offer(space, one, signed) for one in made))


def replace_agreement(space: Session, held: Held, *, days: float = 0, **terms: Any) -> AgreementView:
    """Offer what replaces an agreement in force: ``days`` longer is a renewal (once), other terms an amendment.

    Peers are pinned to the keys that the log holds now, and it names no application, from which it departs. Raises
    ``Refused`` with every reason why it cannot be.
    """
    space.log.refresh()
    directory, old, now = space.log.record.directory, held.agreement, space.clock()
    peers = tuple(Peer(one.did, directory.keys(one.did).digest()) for one in old.terms.peers)
    changed = {"expires": old.terms.expires + round(days * _DAY_MS), "peers": peers, **terms}
    new_terms = msgspec.structs.replace(old.terms, **changed)
    new = msgspec.structs.replace(
        old,
        provider_keys=directory.keys(old.provider).digest(),
        consumer_keys=space.account.keys.public.digest(),
        terms=new_terms,
        made=max(now, old.made + 1),
        replaces=old.digest(),
        version=new_terms.version,
        application=msgspec.UNSET,
    )
    standing = _history(space, held).standing
    verdict = check_replacement(old, new, state=standing.state, renewed=standing.renewed, now=now)
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
    return _offer(space, new)


def change_agreement(
    space: Session, held: Held, event: str, *, step: str = "", document: str = "", about: str = ""
) -> int:
    """Suspend, resume or terminate an agreement, or say that it is broken, as its consumer; the leaf's log index.

    Holds for every use whose own leaf comes later. Raises ``Refused`` with the reason why it may not be.
    """
    space.log.refresh()
    history, account = _history(space, held), space.account
    made = max(space.clock(), history.last_of(account.did) + 1)
    change = Change(event, held.agreement.digest(), made, document=document, step=step, about=about)
    verdict = may_change(history, change, account.did)
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
    entry = Entry(
        kind=KIND_OF[event],
        at=made,
        submitter=account.did,
        parties=(history.provider, history.consumer),
        subject=change.agreement,
        body=sign_change(account.keys, change),
    )
    batch = sign_batch([entry], account.space.origin, account.did, account.keys.sign)
    return space.client.post_bytes("/submit", batch.to_bytes(), dict[str, int])["first"]


def _history(space: Session, held: Held) -> History:
    agreement = held.agreement
    found = space.log.record.agreements.of(agreement.digest(), agreement.provider, agreement.consumer)
    if found is None:
        raise NoAgreement("The log does not say that this agreement is in force.", remedy="Wait for the hospital.")
    return found


def _offer(space: Session, agreement: Agreement, application: Signed | None = None) -> AgreementView:
    signed = sign_agreement(space.account.keys, agreement)
    return space.client.post("/v1/agreements", AgreementCall(signed, application), AgreementView)
