"""A space as an analyst sees it: who is there, what is published, studies, runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from xinglin.catalogue.model import DataSetDescription
from xinglin.contract.agreement import SignedAgreement, open_agreement, open_offer
from xinglin.contract.errors import ContractError
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.sdk.account import Account, open_account
from xinglin.sdk.client import HubClient
from xinglin.sdk.errors import NoAgreement, NotVerified
from xinglin.sdk.logbook import Logbook
from xinglin.sdk.offers import Offer, Proposal
from xinglin.sdk.run import Run
from xinglin.sdk.study import Held, Study
from xinglin.trust.errors import TrustError
from xinglin.wire.calls import AgreementView, DataSetListing, Participant


class HubHealth(msgspec.Struct, frozen=True):
    """The hub's state, its clock (ms) and the size of its log."""

    state: str
    now: Instant
    log_size: int


class Space:
    """One account's view of a space. Close it, or use it in a ``with`` block.

    ``quiet``: True shows no progress of runs, False always, None in a terminal only.
    """

    def __init__(
        self,
        account: Account,
        *,
        proxy: str | None = None,
        clock: Clock = system_clock,
        quiet: bool | None = None,
    ) -> None:
        self.account = account
        self.clock = clock
        self.quiet = quiet
        self.client = HubClient(account, clock, proxy)
        self.log = Logbook(account.space, self.client)

    def __enter__(self) -> Space:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Space({self.account.space.name!r}, {self.account.space.hub_url})"

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def hub_health(self) -> HubHealth:
        """What the hub says of itself; its word."""
        return decode_json(self.client.get_open("/v1/healthz"), HubHealth)

    def participants(self) -> list[Participant]:
        """Everybody in the space, and whether they are connected."""
        return msgspec.json.decode(self.client.get_open("/v1/participants"), type=list[Participant])

    def names(self) -> dict[str, str]:
        """DID to label of everybody who ever joined, from the verified log."""
        if not self.log.record.size:
            self.log.refresh()
        return {did: one.name for did, one in self.log.record.directory.participants.items()}

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
        """Every agreement of this account, with its standing; both signatures of an active one are verified here.

        Raises ``NotVerified`` for one that this account did not sign, or that its hospital did not countersign.
        """
        views = self.client.get("/v1/agreements", list[AgreementView])
        self.log.refresh()
        return [self._held(view) for view in views if view.offered.signer == self.account.did]

    def run(self, run_id: str) -> Run:
        """A run by its id: to follow it, to stop it, to take its result. Works after any interruption."""
        run = Run(self, run_id)
        run.view()
        return run

    def runs(self) -> list[str]:
        """Ids of the runs that this account's folder asked for, newest first."""
        folder = self.account.folder / "runs"
        files = sorted(folder.glob("run-*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        return [file.stem for file in files]

    def _held(self, view: AgreementView) -> Held:
        directory = self.log.record.directory
        try:
            agreement = open_offer(view.offered, directory)
            if view.state == "active":
                if view.countersigned is None:
                    raise NotVerified("An agreement counts as active without its hospital's signature.")
                open_agreement(SignedAgreement(view.countersigned, view.offered), directory)
        except (TrustError, ContractError, MalformedMessage) as error:
            raise NotVerified(
                "An agreement does not check out.", why=error.what, remedy="Tell the regulator."
            ) from error
        return Held(view, agreement)


def study_id(title: str, did: str) -> str:
    """A study's id follows from its title and who asks, so that a title finds it again."""
    digest = hashlib.sha256(f"{did}\0{title}".encode()).digest()[:16]
    return "study-" + base64.b32encode(digest).decode().rstrip("=").lower()


def connect(
    account: Account | Path | str, *, passphrase: str = "", proxy: str | None = None, quiet: bool | None = None
) -> Space:
    """Open the space that the account folder belongs to.

    >>> import xinglin                                             # doctest: +SKIP
    >>> with xinglin.connect("~/heart-study") as space:            # doctest: +SKIP
    ...     print(space.data_sets().keys())
    """
    if not isinstance(account, Account):
        account = open_account(Path(account).expanduser(), passphrase)
    return Space(account, proxy=proxy, quiet=quiet)
