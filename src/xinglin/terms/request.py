"""The plan of a run and the request to run it, as the requester signs it.

Both are append-only formats: a new field takes a new version, and an unknown version is refused.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import msgspec

from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.noise_asked import check_noise
from xinglin.terms.open_release import L1_PACK, check_open
from xinglin.terms.pack_named import NamedPacks, check_named
from xinglin.terms.thresholds import DisclosureRules
from xinglin.trust.keys import check_did

USE_REQUEST = "use-request/1"
"""Signing context of a use request."""

PLAN_PACKS = ("disclosure/1", L1_PACK)
"""Rule packs that a plan may name; the first is what every plan of statistics names."""

SQL_BYTES = Limit("SQL size", 20_000, "bytes")
PARAMS_BYTES = Limit("algorithm parameters", 64 * 1024, "bytes")
ROSTER = Limit("hospitals in a roster", 1_000, "hospitals")
ROUNDS = Limit("rounds a run", 200, "rounds")
RECIPIENTS = Limit("recipients", 16, "recipients")
REQUEST_LIFETIME_MS = Limit("lifetime of a request", 24 * 3600 * 1000, "milliseconds")

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is computed, where, and under which rules; its digest is what everybody signs.

    ``sql``: the one SELECT over the study's views. ``algorithm`` and ``params``: its name and its
    parameters as plain JSON values. ``roster``: DIDs of the hospitals, sorted. ``as_of``: the instant
    of the snapshot. ``agreements``: digest of the agreement in force, by hospital DID. ``packs``: rule
    packs by name. ``rules``: the strictest of all hospitals' disclosure rules. ``rounds``: at most. ``disclosure``: the
    strictest of the hospitals' disclosure packs; in version 2 alone, and in the bytes of no earlier one.
    """

    study: str
    data_set: str
    sql: str
    algorithm: str
    params: dict[str, Any]
    roster: tuple[str, ...]
    as_of: Instant
    agreements: dict[str, str]
    rules: DisclosureRules
    packs: tuple[str, ...] = PLAN_PACKS[:1]
    rounds: int = 50
    version: int = 1
    disclosure: NamedPacks | msgspec.UnsetType = msgspec.UNSET

    @property
    def named(self) -> NamedPacks | None:
        """The disclosure packs that it carries; ``None`` where hospitals named none."""
        return None if isinstance(self.disclosure, msgspec.UnsetType) else self.disclosure

    @property
    def reviewers(self) -> int:
        """How many people of a hospital look at what would leave, where a pack asks for them."""
        return self.named.reviewers if self.named is not None else 0

    @property
    def min_cell(self) -> int:
        """The minimum cell, in persons."""
        return self.rules.min_cell

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)


class UseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants which plan run, for which purpose, by which operation, and until when.

    ``plan``: digest of the plan. ``nonce``: 16 to 64 letters, digits, ``-`` or ``_``, never used twice.
    ``issued`` and ``expires``: at most a day apart. ``recipients``: DIDs the result is sealed to.
    ``nodes``: DIDs of the hospitals asked, equal to the plan's roster.
    """

    plan: str
    requester: str
    study: str
    purpose: str
    operation: str
    nonce: str
    issued: Instant
    expires: Instant
    recipients: tuple[str, ...]
    nodes: tuple[str, ...]
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)


def is_did(text: str) -> bool:
    """Whether ``text`` is spelled like an identifier of this space."""
    try:
        return check_did(text) == text
    except MalformedMessage:
        return False


def is_nonce(text: str) -> bool:
    """Whether ``text`` is spelled like a nonce; a shorter one would let a digest over it be tried by anybody."""
    return bool(_NONCE.match(text))


def is_digest(text: str) -> bool:
    """Whether ``text`` is spelled like a SHA-256 digest."""
    return bool(_DIGEST.match(text))


def is_name(text: str) -> bool:
    """Whether ``text`` is a plain name: letters, digits, ``. _ : -``, at most 128."""
    return bool(_NAME.match(text))


def study_id(title: str, did: str) -> str:
    """A study's id follows from its title and who asks, so that a title finds it again."""
    digest = hashlib.sha256(f"{did}\0{title}".encode()).digest()[:16]
    return "study-" + base64.b32encode(digest).decode().rstrip("=").lower()


def check_plan(plan: Plan) -> Verdict:
    """Whether the plan is well formed in itself, with every reason why not."""
    reasons = [
        *_plan_version(plan),
        *_named("study", plan.study),
        *_named("data set", plan.data_set),
        *_named("algorithm", plan.algorithm),
        *_sql(plan.sql),
        *_params(plan.params),
        *_dids("roster", plan.roster, ROSTER),
        *_agreements(plan),
        *_packs(plan.packs),
        *(check_named(plan.named) if plan.named is not None else ()),
        *check_open(plan.packs, plan.algorithm, plan.rules),
        *check_noise(plan.algorithm, plan.params, len(plan.roster)),
    ]
    if not 1 <= plan.rounds <= ROUNDS.value:
        reasons.append(_malformed("A run has 1 to 200 rounds.", "State a number of rounds in that range."))
    if plan.as_of < 0:
        reasons.append(_malformed("A snapshot's instant is not negative.", "State the instant of the snapshot."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def check_request(request: UseRequest) -> Verdict:
    """Whether the request is well formed in itself, with every reason why not."""
    reasons = [
        *_version("request", request.version),
        *_named("study", request.study),
        *_dids("recipients", request.recipients, RECIPIENTS),
        *_dids("nodes", request.nodes, ROSTER),
    ]
    if not is_digest(request.plan):
        reasons.append(_malformed("A request names its plan by digest.", "Name the plan's sha256 digest."))
    if not is_did(request.requester):
        reasons.append(_malformed("The requester is not a DID of this space.", "Name the requester's DID."))
    if not _NONCE.match(request.nonce):
        reasons.append(_malformed("A nonce is 16 to 64 letters, digits, - or _.", "Draw a fresh nonce."))
    if not 0 <= request.issued < request.expires:
        reasons.append(_malformed("A request expires after it is issued.", "Issue it anew."))
    elif request.expires - request.issued > REQUEST_LIFETIME_MS.value:
        reasons.append(_malformed("A request lives a day at most.", "Issue it with an earlier expiry."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def _malformed(words: str, remedy: str) -> Reason:
    return Reason("terms.malformed", words, remedy)


def _version(what: str, version: int) -> list[Reason]:
    if version == 1:
        return []
    return [Reason("terms.version", f"Version {version} of a {what} is not known here.", "Use version 1, or upgrade.")]


def _plan_version(plan: Plan) -> list[Reason]:
    if plan.version in (1, 2) and plan.version != (1 if plan.named is None else 2):
        words = "A plan of version 2 carries disclosure packs, one of version 1 carries none."
        return [Reason("terms.version", words, "Plan it again.")]
    return [] if plan.version == 2 else _version("plan", plan.version)


def _named(what: str, text: str) -> list[Reason]:
    return [] if is_name(text) else [_malformed(f"The {what} has no valid name.", "Use letters, digits, . _ : and -.")]


def _sql(sql: str) -> list[Reason]:
    if not sql.strip():
        return [_malformed("The plan holds no SQL.", "Write one SELECT.")]
    if len(sql.encode("utf-8", "replace")) > SQL_BYTES.value:
        return [_malformed(f"The SQL is longer than {SQL_BYTES.value} bytes.", "Shorten it.")]
    return []


def _params(params: dict[str, Any]) -> list[Reason]:
    try:
        size = len(canonical_bytes(params))
    except (XinglinError, TypeError) as error:
        return [_malformed(f"The parameters are not plain JSON: {error}", "Use texts, numbers, lists and objects.")]
    if size > PARAMS_BYTES.value:
        return [_malformed(f"The parameters are larger than {PARAMS_BYTES.value} bytes.", "Shorten them.")]
    return []


def _dids(what: str, dids: tuple[str, ...], limit: Limit) -> list[Reason]:
    if not dids or len(dids) > limit.value:
        return [_malformed(f"The {what} hold 1 to {limit.value} DIDs.", "Name them.")]
    if list(dids) != sorted(set(dids)) or not all(is_did(did) for did in dids):
        return [_malformed(f"The {what} are DIDs of this space, sorted, each once.", "Sort them and drop doubles.")]
    return []


def _agreements(plan: Plan) -> list[Reason]:
    if set(plan.agreements) == set(plan.roster) and all(map(is_digest, plan.agreements.values())):
        return []
    return [_malformed("The plan names one agreement, by digest, for each hospital of its roster.", "Name each.")]


def _packs(packs: tuple[str, ...]) -> list[Reason]:
    unknown = [pack for pack in packs if pack not in PLAN_PACKS]
    if unknown or len(set(packs)) != len(packs):
        known = ", ".join(PLAN_PACKS)
        return [Reason("terms.pack_unknown", "The plan names a rule pack that is not known here.", f"Known: {known}.")]
    return []
