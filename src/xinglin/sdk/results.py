"""Results: the released numbers, how they show themselves, and the receipt that proves their release."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.evidence.commitments import open_commitment
from xinglin.evidence.errors import CommitmentMismatch
from xinglin.evidence.policy import parse_policy
from xinglin.evidence.receipt import VerifiedEntry, verify_receipt
from xinglin.kernel.instants import to_text
from xinglin.sdk.errors import NotVerified

if TYPE_CHECKING:
    from xinglin.sdk.noise import NoiseTold

RECEIPT_KIND = "release-authorised"
COMMITMENT = "result"
POLICY_SUFFIX, OPENING_SUFFIX = ".policy", ".opening"


class Outcome(msgspec.Struct, frozen=True):
    """What the hospitals sealed: the kind of the statistic and its payload."""

    kind: str
    payload: dict[str, Any]


class Opening(msgspec.Struct, frozen=True):
    """What opens a receipt's commitment: whoever holds it can prove which result was released. It holds the result."""

    run_id: str
    salt: bytes
    outcome: bytes
    version: int = 1


class Proof(msgspec.Struct, frozen=True):
    """What a receipt proves: the entry, its place in the log, and who vouches for the log."""

    verified: VerifiedEntry
    opened: bool

    @property
    def index(self) -> int:
        """The entry's index in the log."""
        return self.verified.index

    @property
    def fork_protection(self) -> bool:
        """False where too few institutions vouch."""
        return self.verified.fork_protection

    def __str__(self) -> str:
        entry, checkpoint = self.verified.entry, self.verified.checkpoint
        protection = f"{len(checkpoint.cosigned_at_s)} cosignatures" if self.fork_protection else "no fork protection"
        what = "the result at hand" if self.opened else "a result (not opened)"
        return (
            f"Entry {self.index} '{entry.kind}' of {entry.subject or 'nothing'}, {to_text(entry.at)}, about {what}; "
            f"in the log of {checkpoint.checkpoint.size} entries; {protection}."
        )


class Receipt(msgspec.Struct, frozen=True):
    """The log's proof that this result's release was authorised: verified with no network, today or years later."""

    text: str
    policy: str
    run_id: str
    salt: bytes
    outcome: bytes

    def verify(self, policy: str | None = None) -> Proof:
        """Check everything offline: ``policy`` (tlog-policy text) instead of the one this account verified.

        1. The entry is in a log that the policy's quorum cosigned. 2. It authorises a release of this run.
        3. It commits to exactly this outcome. Raises ``EvidenceError`` or ``NotVerified``.
        """
        verified = verify_receipt(self.text, parse_policy(self.policy if policy is None else policy))
        return proof_of(verified, Opening(self.run_id, self.salt, self.outcome))

    def save(self, path: Path | str, *, opening: bool = True) -> Path:
        """Write the receipt (``.tlog-proof``), beside it its ``.policy``, and with ``opening`` what opens it.

        The opening holds the result itself: leave it out of what you publish.
        """
        place = Path(path)
        place.write_text(self.text, encoding="utf-8")
        Path(f"{place}{POLICY_SUFFIX}").write_text(self.policy, encoding="utf-8")
        if opening:
            data = msgspec.json.encode(Opening(self.run_id, self.salt, self.outcome))
            Path(f"{place}{OPENING_SUFFIX}").write_bytes(data)
        return place


def proof_of(verified: VerifiedEntry, opening: Opening | None) -> Proof:
    """The proof of a verified entry, its commitment opened where an ``opening`` is at hand; raises ``NotVerified``."""
    entry = verified.entry
    if opening is None:
        return Proof(verified, opened=False)
    if entry.kind != RECEIPT_KIND or entry.subject != opening.run_id:
        raise NotVerified("The receipt is not of this result's release.", remedy="Ask for the right receipt.")
    try:
        open_commitment(entry.commitments.get(COMMITMENT, ""), opening.salt, opening.outcome)
    except CommitmentMismatch as error:
        raise NotVerified("The result is not the one that the log committed to.", remedy="Do not use it.") from error
    return Proof(verified, opened=True)


class StudyResult:
    """One released statistic. Prints like a statistics package; its numbers are attributes: ``result.aic``.

    ``payload``: plain values as released; ``None`` is what the rules hide. For a model, ``params``, ``bse``,
    ``tvalues``, ``pvalues`` and ``conf_int()`` are dicts by term, as statsmodels names them. ``budget_left``: rho that
    the study may still spend at every hospital, as they told when a noised answer came (exact text; else empty).
    """

    def __init__(
        self, run_id: str, kind: str, payload: dict[str, Any], receipt: Receipt, salt: bytes, outcome: bytes
    ) -> None:
        self.run_id, self.kind, self.payload, self.receipt = run_id, kind, payload, receipt
        self.salt, self.outcome = salt, outcome
        self._shows = ""
        self.budget_left = ""

    def showing(self, shows: str) -> StudyResult:
        """The same result, printing the matrix ``shows`` (``covariance``) in place of the usual one."""
        other = StudyResult(self.run_id, self.kind, self.payload, self.receipt, self.salt, self.outcome)
        other._shows, other.budget_left = shows, self.budget_left
        return other

    # --- as text -------------------------------------------------------------------------------

    def summary(self) -> str:
        """The text table."""
        from xinglin.analysis.render import summary

        if self._shows:
            return _matrix_text(self.rows())
        if self.noise is not None:
            left = f"; at least {self.budget_left} rho left at every hospital" if self.budget_left else ""
            return f"{summary(self._result())}\n{self.noise}{left}"
        tests = "" if self.kind == "glm" else "".join(f"\n{name}: p = {p:.4g}" for name, p in self.p_values().items())
        return summary(self._result()) + tests

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        rows = self.rows()
        names = list(rows[0]) if rows else []
        head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_shown(row.get(name)))}</td>" for name in names) + "</tr>"
            for row in rows
        )
        facts = {name: value for name, value in self.payload.items() if isinstance(value, int | float | str)}
        caption = html.escape(f"{self.kind}: " + ", ".join(f"{k} {_shown(v)}" for k, v in facts.items()))
        return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    # --- as data -------------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """The result as rows of one table."""
        from xinglin.analysis.render import rows_of

        if self._shows:
            names = self.payload["columns"]
            return [
                {"column": name, **dict(zip(names, row, strict=True))}
                for name, row in zip(names, self.payload[self._shows], strict=True)
            ]
        return rows_of(self._result())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: the run, the kind, the payload, its rows, and the receipt's text."""
        return {
            "run_id": self.run_id,
            "kind": self.kind,
            "payload": self.payload,
            "rows": self.rows(),
            "p_values": self.p_values(),
            "noise": msgspec.to_builtins(self.noise),
            "why": self.why(),
            "receipt": self.receipt.text,
        }

    def to_pandas(self) -> Any:
        """The rows as a pandas frame; needs the extra ``frames``."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def to_polars(self) -> Any:
        """The rows as a polars frame; needs the extra ``frames``."""
        import polars as pl

        return pl.DataFrame(self.rows(), infer_schema_length=None)

    @property
    def noise(self) -> NoiseTold | None:
        """What the answer cost in privacy and who it holds against; ``None`` for an exact answer."""
        from xinglin.sdk.noise import told_noise

        return told_noise(self.payload)

    def why(self) -> dict[str, str]:
        """Why entries are hidden, by name of the entry: which rule of which disclosure pack; empty without a pack."""
        from xinglin.analysis.render import why_hidden

        return {name: words for name, words in why_hidden(self._result()).items() if name}

    # --- numbers by name -----------------------------------------------------------------------

    def p_values(self) -> dict[str, float]:
        """p-values by term (a model) or by test; empty where the test was withheld."""
        from xinglin.analysis.render import p_values

        if self.kind == "glm":
            return self._by_term("p")
        return p_values(self._result())

    @property
    def params(self) -> dict[str, float]:
        """Coefficients by term."""
        return self._by_term("coefficient")

    @property
    def coefficients(self) -> dict[str, float]:
        """Coefficients by term."""
        return self._by_term("coefficient")

    @property
    def bse(self) -> dict[str, float]:
        """Standard errors by term."""
        return self._by_term("standard_error")

    @property
    def standard_errors(self) -> dict[str, float]:
        """Standard errors by term."""
        return self._by_term("standard_error")

    @property
    def tvalues(self) -> dict[str, float]:
        """Wald statistics by term."""
        return self._by_term("z")

    @property
    def pvalues(self) -> dict[str, float]:
        """Two-sided p-values by term."""
        return self._by_term("p")

    def conf_int(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Confidence intervals of ``level`` by term."""
        from xinglin.analysis.render import coefficients

        return {row["term"]: (row["low"], row["high"]) for row in coefficients(self._result(), level)}

    def __getattr__(self, name: str) -> Any:
        payload = self.__dict__.get("payload", {})
        if name in payload:
            return payload[name]
        cells = payload.get("cells", ())
        if len(cells) == 1 and name in cells[0]:
            return cells[0][name]
        known = ", ".join(payload)
        raise AttributeError(f"this result of kind {self.__dict__.get('kind')!r} has no {name!r}; it has: {known}")

    def _by_term(self, name: str) -> dict[str, float]:
        from xinglin.analysis.render import coefficients

        if self.kind != "glm":
            raise AttributeError(f"a result of kind {self.kind!r} has no terms")
        return {row["term"]: row[name] for row in coefficients(self._result())}

    def _result(self) -> Any:
        from xinglin.analysis.algorithm import Result

        return Result(self.kind, self.payload)


def _matrix_text(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0]) if rows else []
    cells = [names, *([_shown(row[name]) for name in names] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(names))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)


def _shown(value: Any) -> str:
    if value is None:
        return "hidden"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
