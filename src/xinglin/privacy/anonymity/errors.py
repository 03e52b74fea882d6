"""Errors of anonymity: what cannot be made anonymous, and what to change; never a row's value."""

from __future__ import annotations

from xinglin.privacy.errors import PrivacyError


class AnonymityError(PrivacyError):
    """Root of this part's errors."""

    code = "privacy.anonymity"


class BadRules(AnonymityError):
    """Rules that contradict themselves or that nothing could be held to."""

    code = "privacy.anonymity.bad_rules"


class BadColumns(AnonymityError):
    """Columns that are missing, of unequal length, or of a type that cannot be read."""

    code = "privacy.anonymity.bad_columns"


class BadHierarchy(AnonymityError):
    """A hierarchy with a gap, a value twice, or a label that stands for two sets of values."""

    code = "privacy.anonymity.bad_hierarchy"


class UnknownLevel(AnonymityError):
    """Values of a column that its hierarchy does not name."""

    code = "privacy.anonymity.unknown_level"

    def __init__(self, column: str, values: int) -> None:
        super().__init__(
            f"The hierarchy of '{column}' does not name {values} of the column's values.",
            why="A value that has no place in the hierarchy cannot be generalised.",
            remedy="Add the values to the hierarchy, or map them to one that it names.",
        )
        self.column, self.values = column, values


class TooFewPersons(AnonymityError):
    """A table of fewer persons than a class must have."""

    code = "privacy.anonymity.too_few_persons"

    def __init__(self, k: int) -> None:
        super().__init__(
            f"The table has fewer persons than the {k} that each class must have.",
            why="Even with every value generalised the persons would be too few to hide among.",
            remedy="Take a larger cohort; a smaller k needs the data holder's consent.",
        )
        self.k = k


class Unreachable(AnonymityError):
    """A rule on a sensitive column that even the whole table as one class does not hold."""

    code = "privacy.anonymity.unreachable"


class UncuttablePart(AnonymityError):
    """A part of a large table that cannot be cut small enough for the memory it was given."""

    code = "privacy.anonymity.uncuttable_part"


class BadIndex(AnonymityError):
    """An index of a release that cannot be read or does not belong to what it is compared with."""

    code = "privacy.anonymity.bad_index"
