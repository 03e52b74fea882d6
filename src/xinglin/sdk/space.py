"""A space as an analyst sees it: who is there, what is published, studies, runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.sdk.account import Account, open_account
from xinglin.sdk.asked import asked_runs
from xinglin.sdk.budgets import Budget, budgets_of
from xinglin.sdk.errors import NoAgreement
from xinglin.sdk.offers import Offer, Proposal
from xinglin.sdk.run import Run
from xinglin.sdk.session import Session
from xinglin.sdk.study import Study
from xinglin.sdk.titles import keep_title, titles
from xinglin.terms.request import study_id

if TYPE_CHECKING:
    import pyarrow as pa

    from xinglin.sdk.data import Data
    from xinglin.sdk.extracts import Extract
    from xinglin.sdk.logbook import SharedLog
    from xinglin.sdk.scores import Scoring
    from xinglin.sdk.synthetic import Synthetic, SyntheticPreview, SyntheticSets

__all__ = ["Space", "connect", "study_id"]


class Space(Session):
    """One account's view of a space. Close it, or use it in a ``with`` block.

    ``quiet``: True shows no progress of runs, False always, None in a terminal only.
    """

    def __repr__(self) -> str:
        return f"Space({self.account.space.name!r}, {self.account.space.hub_url})"

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
        held = self.agreements(study)
        if not held:
            raise NoAgreement(f"There is no study {title!r} of yours.", remedy="Propose it: space.propose(...).")
        keep_title(self.account, study, title)
        return Study(self, title, study, held)

    def study_by_id(self, study: str, title: str = "") -> Study:
        """The study with that id, as ``study`` finds it by its title; raises ``NoAgreement``."""
        held = self.agreements(study)
        if not held:
            raise NoAgreement(
                f"There is no study {study!r} of yours.", remedy="See which there are: 'xinglin study list'."
            )
        return Study(self, title or titles(self.account).get(study, study), study, held)

    def budget(self, data_set: str, study: str = "") -> list[Budget]:
        """What each hospital says is spent and left of its budget of privacy: of ``study`` (an id), or a new one.

        Signed by each hospital and verified here. Noised answers spend it: ``data.describe(epsilon="0.5")``.
        """
        return budgets_of(self, data_set, study)

    def run(self, run_id: str) -> Run:
        """A run by its id: to follow it, to stop it, to take its result. Works after any interruption."""
        run = Run(self, run_id)
        run.view()
        return run

    def extract(self, study: str, sql: str, **asked: Any) -> tuple[Extract, ...]:
        """Ask each hospital of the study of that title for its own extract: see ``Study.extraction``."""
        return self.study(study).extract(sql, **asked)

    def extracts(self) -> list[Extract]:
        """Extracts that this account asked for or receives, newest first."""
        from xinglin.sdk.extracts import extracts

        return extracts(self)

    def synthetic(
        self, data: Data | str, *, study: str = "", hospitals: Sequence[str] | None = None, **asked: Any
    ) -> SyntheticSets | SyntheticPreview:
        """Rows that nobody lived: one verified set of each hospital, or with ``preview=True`` what it would be.

        ``data``: of a study, or with ``study`` (its title) a SELECT or the name of one of its views. ``rows``,
        ``epsilon`` (or ``rho``) say how many and at which cost; ``columns``, ``tables``, ``method``,
        ``rows_per_person``, ``days``, ``recipient``, ``fresh``: see ``docs/synthetic.md``. Waits, as ``timeout_s``
        says; raises ``Refused`` with the reasons and what would help.
        """
        from xinglin.sdk.synthetic import select_of, synthetic

        if isinstance(data, str):
            rows = self.study(study).sql(select_of(data), hospitals=hospitals)
        else:
            rows = data if hospitals is None else data.at(hospitals)
        return synthetic(self, rows, **asked)

    def synthetic_set(self, run_id: str) -> Synthetic:
        """A synthetic set by its id: to follow it, to cancel it, to take it. Works after any interruption."""
        from xinglin.sdk.synthetic import Synthetic

        return Synthetic(self, run_id)

    def twin(self, data_set: str, persons: int = 1_000, hospital: str = "") -> dict[str, pa.Table]:
        """A stand-in for every table of a published data set, from the catalogue alone: no permission, no cost."""
        from xinglin.sdk.twins import published, twins_of

        return twins_of(published(self.data_sets(data_set), data_set, hospital, self.names()), persons)

    def scores(self) -> list[str]:
        """Sessions of encrypted scores that hospitals opened for models of this account."""
        from xinglin.sdk.scores import sessions

        return sessions(self)

    def score(self, session: str, openfhe: Path | None = None) -> Scoring:
        """One of them, verified: ``space.score(session).send(Model.read("model.json"))``.

        ``openfhe``: the interpreter of an environment that has OpenFHE, where the session has two key holders.
        """
        from xinglin.sdk.scores import Scoring

        return Scoring(self, session, openfhe)

    def runs(self) -> list[str]:
        """Ids of the runs that this account's folder asked for, newest first."""
        return asked_runs(self.account)


def connect(
    account: Account | Path | str,
    *,
    passphrase: str = "",
    proxy: str | None = None,
    quiet: bool | None = None,
    logbook: SharedLog | None = None,
) -> Space:
    """Open the space that the account folder belongs to. ``logbook``: as ``Session`` says.

    >>> import xinglin                                             # doctest: +SKIP
    >>> with xinglin.connect("~/heart-study") as space:            # doctest: +SKIP
    ...     print(space.data_sets().keys())
    """
    if not isinstance(account, Account):
        account = open_account(Path(account).expanduser(), passphrase)
    return Space(account, proxy=proxy, quiet=quiet, logbook=logbook)
