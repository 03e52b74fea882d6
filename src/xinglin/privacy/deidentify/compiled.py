"""A profile compiled for one study and data set."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from xinglin.privacy.deidentify.columns import Secrets
from xinglin.privacy.deidentify.errors import UnknownField
from xinglin.privacy.deidentify.grading import Grade, Remaining, Risk, grade_of, remaining_of
from xinglin.privacy.deidentify.keys import Keys
from xinglin.privacy.deidentify.messages import MessagePlan
from xinglin.privacy.deidentify.model import Action, Columns, Profile
from xinglin.privacy.deidentify.nearest import nearest
from xinglin.privacy.deidentify.notes import redact_note
from xinglin.privacy.deidentify.resources import ResourcePlan
from xinglin.privacy.deidentify.tables import TablePlan
from xinglin.privacy.deidentify.text.model import Known


class Compiled:
    """What a profile does to records of one study and data set; make it once, use it often, from one thread."""

    def __init__(self, profile: Profile, keys: Keys, today: date | None = None) -> None:
        self.profile = profile
        self._secrets, self._today = Secrets(keys), today
        self._note = redact_note
        self._resources = ResourcePlan(profile, self._secrets, today, self._note)
        self._messages = MessagePlan(profile, self._secrets, today, self._note)
        plans = [TablePlan(name, fields, self._secrets, today, self._note) for name, fields in profile.tables.items()]
        self._tables = {plan.name: plan for plan in plans if plan.columns}

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of which anything is given."""
        return tuple(self._tables)

    @property
    def remaining(self) -> tuple[Remaining, ...]:
        """What is given that tells who a person is."""
        return remaining_of(self.profile)

    @property
    def grade(self) -> Grade:
        """The grade of GB/T 42460-2023 of what is given, as long as no risk is measured: 1, 2, or 3 with nothing left
        to tell a person by."""
        return grade_of(self.remaining)

    def grade_of_table(self, name: str, risk: Risk | None = None) -> Grade:
        """The grade of one table; ``risk``: measured on its rows."""
        return grade_of(tuple(each for each in self.remaining if each.place.partition(".")[0] == name), risk)

    def columns(self, name: str) -> dict[str, Action]:
        """The stored columns of a table that are given, and what is done with each."""
        return dict(self._plan(name).columns)

    def table(
        self, name: str, columns: Columns, persons: np.ndarray, known: Mapping[str, Known] | None = None
    ) -> Columns:
        """The columns of a table that the profile gives, de-identified.

        ``columns``: arrays of n rows by stored column name. ``persons``: n keys of persons (``None``: of nobody, whose
        dates cannot be moved and are dropped). ``known``: by person, for free text. What the profile does not name is
        not in the answer. Raises ``UnknownField`` for a table of which nothing is given, ``BadRecord`` where lengths
        differ.
        """
        return self._plan(name).apply(columns, persons, known)

    def resource(
        self, body: dict[str, Any], namespace: str = "", person: str | None = None, known: Known | None = None
    ) -> dict[str, Any] | None:
        """A FHIR resource (R4), de-identified; ``None`` where the profile gives nothing of its type.

        ``namespace``: of the source, as in the tables' keys. ``person``: the key by which the tables know whose it is,
        where that is another than the resource says (linked persons). Ids and references become the pseudonyms that
        the tables have. ``known``: who the person is, for free text; what a Patient in ``body`` says is taken where
        nothing is handed in. A resource or part with a modifierExtension is not given. Raises ``BadRecord``.
        """
        return self._resources.apply(body, namespace, person, known)

    def message(self, data: bytes, namespace: str = "") -> bytes:
        """An HL7 v2 message, de-identified, with the usual separators. Raises ``BadRecord``."""
        return self._messages.apply(data, namespace)

    def note(self, text: str, known: Known | None = None) -> str | None:
        """A free text without what names a person; ``None`` for one that is too long. ``known``: of the person."""
        return self._note(text, known)

    def _plan(self, name: str) -> TablePlan:
        plan = self._tables.get(name)
        if plan is None:
            raise UnknownField(name, f"{self.profile.name}: tables", nearest(name, self._tables))
        return plan


def compile_profile(profile: Profile, keys: Keys, today: date | None = None) -> Compiled:
    """A profile compiled for the keys of a study and data set.

    ``today``: needed by profiles that hide high ages (``oldest``), else ``NeedsToday``. Raises ``BadProfile`` where
    an action does not fit its field.
    """
    return Compiled(profile, keys, today)
