"""The evidence explorer: search, one entry, the chain of a use, the newest checkpoint, receipts and bundles."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from xinglin.console.addresses import segment
from xinglin.console.book import Book
from xinglin.console.charts import qr
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.errors import BadField, NotThere
from xinglin.console.frame import Done, File, Head, Nav, Page, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, Filter, Listing, listing
from xinglin.console.screens.evidence_words import STAGES, sentence
from xinglin.console.seats import ROLES
from xinglin.console.visit import Form, Visit
from xinglin.evidence.compact import compact_receipt
from xinglin.evidence.entry import KINDS
from xinglin.evidence.tree import leaf_hash
from xinglin.kernel.instants import Instant
from xinglin.sdk.logbook import Found
from xinglin.words import N_

NAV = (Nav(roles=ROLES, path="/evidence", label=N_("Evidence"), order=80),)
CSS = ("screens/evidence.css",)
PAGE, EXPORT = 50, 10_000
BUNDLED = tuple(role for role in ROLES if role != "patient")
"""Whoever may ask for bundles: each costs as much as a hundred pages. Patients have proofs of their own looks."""
_OBJECTS = {"study": "object.study", "run": "object.run", "product": "object.product"}
_STEPS = {"refused": "state.refused", "stopped": "state.suspended", "ended": "state.ended"}


@screen("/evidence")
def evidence(visit: Visit) -> Page:
    """Search the log; the newest checkpoint stands above it."""
    _, book = visit.words.text, visit.calls.book
    asked = _asked(visit)
    after = visit.number("after", 0) or None
    found = book.search(**asked, after=after, limit=PAGE)
    rows = [_row(visit, book, one) for one in found.found]
    subject = asked["text"] or asked["subject"]
    return Page(
        "evidence/search.html",
        title=_("Evidence"),
        values={
            "shown": _listed(visit, book, rows, asked),
            "asked": {key: visit.query.get(key, "") for key in ("text", "kind", "since", "until", "subject", "party")},
            "kinds": {kind: visit.words.term(f"kind.{kind}") for kind in KINDS},
            "older": _address(visit, after=found.after) if found.after is not None else "",
            "newest": _address(visit) if after else "",
            "chain": subject if rows and _is_id(subject) else "",
            "checkpoint": book.checkpoint() if not after else None,
            "trouble": book.trouble,
        },
        listing=_listed(visit, book, rows, asked),
        same=Same(
            python="space.log.refresh()\nspace.log.about(subject)",
            cli="xinglin verify RECEIPT.tlog-proof",
        ),
        css=CSS,
    )


@screen("/evidence/checkpoint")
def checkpoint(visit: Visit) -> Page:
    """The newest checkpoint, and who vouches for it."""
    _, book = visit.words.text, visit.calls.book
    shown = book.checkpoint()
    return Page(
        "evidence/checkpoint.html",
        title=_("Newest checkpoint"),
        crumbs=(Step(_("Evidence"), "/evidence"),),
        values={
            "checkpoint": shown,
            "trouble": book.trouble,
            "digest": hashlib.sha256(shown.note.partition("\n\n")[0].encode() + b"\n").hexdigest(),
            "policy_digest": hashlib.sha256(shown.policy.encode()).hexdigest(),
        },
        same=Same(python="space.log.refresh()", cli="xinglin witness status"),
        css=CSS,
    )


@screen("/evidence/chain/{subject:str}")
def chain(visit: Visit, subject: str) -> Page:
    """A use from agreement to release, as the log has it."""
    _, book = visit.words.text, visit.calls.book
    also = tuple(one for one in visit.query.get("also", "").split(",") if _is_id(one))[:16]
    found = book.chain(subject, also)
    if not found.links:
        raise NotThere("The log holds nothing of this.", remedy="Search the evidence for it.")
    steps = [
        {
            "index": link.found.index,
            "stage": _(STAGES[link.stage]),
            "state": _STEPS.get(link.stage, "state.done"),
            "kind": link.found.entry.kind,
            "at": link.found.entry.at,
            "words": sentence(visit.words, link.found.entry, book.name),
            "subject": link.found.entry.subject,
        }
        for link in found.links
    ]
    return Page(
        "evidence/chain.html",
        title=_("From request to release"),
        crumbs=(Step(_("Evidence"), "/evidence"),),
        head=Head(kind=_OBJECTS.get(subject.partition("-")[0], "word.evidence"), id=subject),
        values={"chain": found, "steps": steps, "subject": subject, "also": ",".join(also)},
        data=steps,
        css=CSS,
    )


@screen("/evidence/bundle/{subject:str}", roles=BUNDLED)
def bundle(visit: Visit, subject: str) -> File:
    """The offline bundle: one file, one command, no network."""
    also = tuple(one for one in visit.query.get("also", "").split(",") if _is_id(one))[:16]
    data = visit.calls.book.bundle(subject, also)
    return File(data, f"evidence-{_plain(subject)}.zip", "application/zip")


@screen("/evidence/{index:str}")
def entry(visit: Visit, index: str) -> Page:
    """One entry: what it says, whom it names, and the proof that it is in the log."""
    _, book = visit.words.text, visit.calls.book
    found = book.entry(_number(index))
    said = found.entry
    data = said.to_bytes()
    return Page(
        "evidence/entry.html",
        title=_("Entry %(index)s: %(kind)s", index=found.index, kind=visit.words.term(f"kind.{said.kind}")),
        crumbs=(Step(_("Evidence"), "/evidence"),),
        head=Head(kind="object.entry", id=str(found.index), since=said.at),
        values={
            "found": found,
            "said": said,
            "words_said": sentence(visit.words, said, book.name),
            "names": {did: book.name(did) for did in (said.submitter, *said.parties)},
            "body": json.dumps(said.body, indent=2, ensure_ascii=False, sort_keys=True) if said.body else "",
            "leaf": leaf_hash(data).hex(),
            "size": book.size,
            "checks": _checks(visit, book, found) if visit.query.get("verified") == "1" else (),
            "public": KINDS[said.kind].public,
        },
        same=Same(
            python=in_python("space.log.about({})", said.subject),
            cli=in_shell("xinglin verify {}.tlog-proof", str(found.index)),
        ),
        data={"index": found.index, "entry": json.loads(data)},
        css=CSS,
    )


@screen("/evidence/{index:str}/receipt")
def receipt(visit: Visit, index: str) -> File:
    """The receipt as a file, verified before it is given."""
    number = _number(index)
    return File(visit.calls.book.receipt(number), f"entry-{number}.tlog-proof", "text/plain; charset=utf-8")


@screen("/evidence/policy.txt")
def policy(visit: Visit) -> File:
    """The quorum policy in force, as a file for ``xinglin verify --policy``."""
    return File(visit.calls.book.record.policy_text.encode(), "policy.txt", "text/plain; charset=utf-8")


@screen("/evidence/{index:str}/qr")
def code(visit: Visit, index: str) -> Page:
    """The compact receipt as a QR code, to print."""
    _, book = visit.words.text, visit.calls.book
    found = book.entry(_number(index))
    _receipt, verified = book.proved(found.index)
    text = compact_receipt(found.index, verified.data, verified.checkpoint.checkpoint)
    drawn = qr(_("Compact receipt of entry %(index)s", index=found.index), text, say=_)
    above = Step(_("Entry %(index)s", index=found.index), f"/evidence/{segment(found.index)}")
    return Page(
        "evidence/qr.html",
        title=_("Compact receipt of entry %(index)s", index=found.index),
        crumbs=(Step(_("Evidence"), "/evidence"), above),
        values={
            "found": found, "drawn": drawn, "text": text, "checkpoint": book.checkpoint(),
            "words_said": sentence(visit.words, found.entry, book.name),
        },
        css=CSS,
    )  # fmt: skip


@act("/evidence/{index:str}/verify")
def verify(visit: Visit, form: Form, index: str) -> Done:
    """Verify an entry here and now; the page says what was checked."""
    number = _number(index)
    visit.calls.book.proved(number)
    return Done(f"/evidence/{segment(number)}?verified=1")


ROUTES = (evidence, checkpoint, policy, chain, bundle, entry, receipt, code, verify)


def _checks(visit: Visit, book: Book, found: Found) -> tuple[dict[str, Any], ...]:
    """What verifying showed, step by step; raises where anything does not hold."""
    _ = visit.words.text
    data, verified = book.proved(found.index)
    tree = verified.checkpoint.checkpoint
    hashes = len(data.decode().partition("\n\n")[0].split("\n")) - 3
    names = ", ".join(book.name(name) for name in sorted(verified.checkpoint.cosigned_at_s))
    attested = visit.words.instant(verified.checkpoint.attested_at_s * 1000, seconds=True, zone=visit.settings.zone)
    told = (
        (_("The entry is in its one canonical spelling."), _("%(n)s bytes, read anew", n=len(verified.data))),
        (_("Its hash is the leaf of its place in the tree."), leaf_hash(verified.data).hex()),
        (
            _("Its path leads to the root that the checkpoint names."),
            _("%(n)s hashes; root %(root)s", n=hashes, root=tree.root.hex()),
        ),
        (_("The log signed the checkpoint."), tree.origin),
        (_("The witnesses that cosigned it are a quorum of the policy."), names),
        (_("A whole quorum had attested it by this time."), attested),
    )
    rows = [{"what": what, "shown": shown, "good": True} for what, shown in told]
    protected = verified.fork_protection
    rows.append(
        {
            "what": _("Two different histories could not both have reached the quorum."),
            "shown": _("yes") if protected else _("no fork protection: fewer than four institutions vouch"),
            "good": protected,
        }
    )
    return tuple(rows)


def _asked(visit: Visit) -> dict[str, Any]:
    query = visit.query
    kind = query.get("kind", "")
    until = _day(visit, "until")
    return {
        "kind": kind if kind in KINDS else "",
        "subject": query.get("subject", "").strip()[:200],
        "party": query.get("party", "").strip()[:200],
        "text": (query.get("text", "") or query.get("q", "")).strip()[:200],
        "since": _day(visit, "since"),
        "until": None if until is None else until + 86_400_000,
    }


def _day(visit: Visit, name: str) -> Instant | None:
    """The start of a day of the address, in the console's zone; raises ``BadField``."""
    text = visit.query.get(name, "").strip()
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=ZoneInfo(visit.settings.zone))
        return (day - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    except (ValueError, OverflowError) as error:
        raise BadField(name, f"{text[:20]!r} is no day.", remedy="Write it as 2026-01-31.") from error


def _row(visit: Visit, book: Book, found: Found) -> dict[str, Any]:
    said = found.entry
    return {
        "index": found.index,
        "at": said.at,
        "kind": f"kind.{said.kind}",
        "submitter": book.name(said.submitter),
        "parties": [book.name(did) for did in said.parties if did != said.submitter],
        "subject": said.subject,
    }


def _listed(visit: Visit, book: Book, rows: list[dict[str, Any]], asked: dict[str, Any]) -> Listing:
    _ = visit.words.text

    def every() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = None
        while len(found) < EXPORT:
            page = book.search(**asked, after=after, limit=500)
            found += [_row(visit, book, one) for one in page.found]
            after = page.after
            if after is None:
                break
        return found[:EXPORT]

    columns = (
        Column("index", _("Entry"), "text", "/evidence/{index}", sort=False),
        Column("at", _("When"), "instant", sort=False),
        Column("kind", _("What"), "term", sort=False),
        Column("submitter", _("By"), sort=False),
        Column("parties", _("With"), sort=False),
        Column("subject", _("About"), "id", "/evidence?text={subject}", sort=False),
    )
    empty = Empty(_("The log holds no such entry."), _("Show all"), "/evidence")
    filters = (Filter("kind", _("What"), {}),)
    return listing(visit, "evidence", columns, rows, total=len(rows), every=every, empty=empty, filters=filters)


def _address(visit: Visit, **changes: int | None) -> str:
    from urllib.parse import urlencode

    kept = {key: value for key, value in visit.query.items() if key != "after" and value}
    kept |= {key: str(value) for key, value in changes.items() if value is not None}
    return "/evidence" + ("?" + urlencode(kept) if kept else "")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise NotThere("Entries are numbered from 0.", remedy="Search the evidence.")
    return int(text)


def _is_id(text: str) -> bool:
    return (text.startswith(("sha256:", "did:")) or "-" in text) and len(text) > 20 and text.isprintable()


def _plain(text: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text)[:48]
