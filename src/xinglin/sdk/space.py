"""A space as an analyst sees it: who is there, what is published, studies, runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from xinglin.catalogue import DataSetDescription
from xinglin.contract import Agreement
from xinglin.kernel.instants import Clock, system_clock
from xinglin.sdk.account import Account, open_account
from xinglin.sdk.client import HubClient
from xinglin.sdk.errors import NoAgreement
from xinglin.sdk.logbook import Logbook
from xinglin.sdk.offers import Offer, Proposal
from xinglin.sdk.run import Run
from xinglin.sdk.study import Held, Study
from xinglin.trust.envelope import Signed
from xinglin.wire.calls import AgreementView, DataSetListing, Participant, RunView


class Space:
    """One account's view of a space. Close it, or use it in a ``with`` block."""

    def __init__(self, account: Account, *, proxy: str | None = None, clock: Clock = system_clock) -> None:
        self.account = account
        self.clock = clock
        self.client = HubClient(account, clock, proxy)
        self.log = Logbook(account.space, self.client)

    def __enter__(self) -> Space:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Space({self.account.space.name!r}, {self.account.space.hub_url})"

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def participants(self) -> list[Participant]:
        """Everybody in the space, and whether they are connected."""
        return msgspec.json.decode(self.client.get_open("/v1/participants"), type=list[Participant])

    def hospitals(self) -> list[Participant]:
        """Participants with the role provider."""
        return [one for one in self.participants() if "provider" in one.roles]

    def data_sets(self) -> dict[str, dict[str, DataSetDescription]]:
        """What is published: data set name to provider DID to description. Public facts, no rows."""
        listings = self.client.get("/v1/datasets", list[DataSetListing])
        found: dict[str, dict[str, DataSetDescription]] = {}
        for listing in listings:
            for one in msgspec.json.decode(listing.descriptions, type=tuple[DataSetDescription, ...]):
                found.setdefault(one.name, {})[listing.provider] = one
        return found

    def propose(
        self,
        title: str,
        *,
        data_set: str,
        cohort: Mapping[str, str],
        variables: Sequence[str],
        purpose: str = "health-research",
        offer: Offer | None = None,
        hospitals: Sequence[str] | None = None,
    ) -> Study:
        """Offer an agreement for a new study to every hospital that publishes ``data_set`` (or to ``hospitals``, DIDs).

        ``cohort`` maps view names to SELECTs over published tables; ``variables`` are ``table.column`` texts.
        The study can be used once hospitals have countersigned: see ``Study.wait``.
        """
        proposal = Proposal(study_id(title, self.account.did), data_set, dict(cohort), tuple(variables), purpose)
        proposal.send(self, offer or Offer(), hospitals)
        return self.study(title)

    def study(self, title: str) -> Study:
        """The study of that title that this account proposed; raises ``NoAgreement`` when there is none."""
        study = study_id(title, self.account.did)
        held = [one for one in self.agreements() if one.agreement.study == study]
        if not held:
            raise NoAgreement(f"There is no study {title!r} of yours.", remedy="Propose it: space.propose(...).")
        return Study(self, title, study, held)

    def agreements(self) -> list[Held]:
        """Every agreement of this account, with its standing; each was signed by this account itself."""
        views = self.client.get("/v1/agreements", list[AgreementView])
        mine = (view for view in views if view.offered.signer == self.account.did)
        return [Held(view, agreement_of(view.offered)) for view in mine]

    def run(self, run_id: str) -> Run:
        """A run by its id: to follow it, to stop it, to take its result. Works after any interruption."""
        self.client.get(f"/v1/runs/{run_id}", RunView)
        return Run(self, run_id)


def agreement_of(signed: Signed) -> Agreement:
    """The agreement in an envelope, not verified."""
    return msgspec.json.decode(signed.payload, type=Agreement)


def study_id(title: str, did: str) -> str:
    """A study's id follows from its title and who asks, so that a title finds it again."""
    digest = hashlib.sha256(f"{did}\0{title}".encode()).digest()[:16]
    return "study-" + base64.b32encode(digest).decode().rstrip("=").lower()


def connect(account: Account | Path | str, *, passphrase: str = "", proxy: str | None = None) -> Space:
    """Open the space that the account folder belongs to.

    >>> import xinglin                                             # doctest: +SKIP
    >>> with xinglin.connect("~/heart-study") as space:            # doctest: +SKIP
    ...     print(space.data_sets().keys())
    """
    if not isinstance(account, Account):
        account = open_account(Path(account).expanduser(), passphrase)
    return Space(account, proxy=proxy)
