"""What a generated function is made of: constants that it refers to by numbered names, and parts of paths."""

from __future__ import annotations

from typing import Any

from xinglin.records.views.sound import Kind


class Constants:
    """The table of what a view wrote, and the numbers of variables."""

    def __init__(self) -> None:
        self._names: dict[tuple[type, Any], str] = {}
        self._table: dict[str, Any] = {}
        self._count = 0

    def name(self, value: Any) -> str:
        """The name under which the generated source finds a constant."""
        key = (type(value), value)
        if key not in self._names:
            self._names[key] = f"_c{len(self._table)}"
            self._table[self._names[key]] = value
        return self._names[key]

    def variable(self, letter: str) -> str:
        """A new name of a variable."""
        self._count += 1
        return f"{letter}{self._count}"

    def compiled(self, source: str, space: dict[str, Any]) -> str:
        """The name of a function ``step`` that is generated before the others."""
        names = {**space, **self._table}
        # As in `compiled`: numbered names and fixed words only.
        exec(compile(source, "<step of a view>", "exec"), names)  # noqa: S102
        name = f"_s{len(self._table)}"
        self._table[name] = names["step"]
        return name

    def table(self) -> dict[str, Any]:
        """Constants by name."""
        return dict(self._table)


class Value:
    """A part of a path: the expression that holds it, and what hangs on it.

    ``single``: it is no list. ``listed``: where it is there, it is a list with items and without nulls. ``kind``: what
    its items are, where the resource is sound; None: nobody knows.
    """

    def __init__(
        self,
        code: str,
        single: bool,
        *,
        parent: Value | None = None,
        lines: tuple[str, ...] = (),
        kind: Kind | None = None,
        listed: bool = False,
    ) -> None:
        self.code, self.single, self.parent, self.own = code, single, parent, lines
        self.kind, self.listed = kind, listed
        self.children: list[Value] = []
        self.kept = False

    def hangs_on(self, other: Value) -> bool:
        """Whether it is empty wherever ``other`` is."""
        value: Value | None = self
        while value is not None:
            if value is other:
                return True
            value = value.parent
        return False

    def lines(self) -> list[str]:
        """Its lines, and those of what hangs on it."""
        below = [f" {line}" for child in self.children for line in child.lines()]
        guard = [f"if {self.code} is not None:", *below] if below else []
        return [*self.own, *guard]

    def names(self) -> list[str]:
        """Variables below it that are looked at from elsewhere."""
        found = [child.code for child in self.children if child.kept]
        for child in self.children:
            found += child.names()
        return found

    def deeper(self) -> list[str]:
        """As ``names``, without what hangs on it directly: those are computed in any case."""
        return [name for child in self.children for name in child.names()]
