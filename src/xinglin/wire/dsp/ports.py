"""What a connector keeps, and what it needs from outside: store, offers, released data, terms, trust, evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Verdict

Document = dict[str, Any]


class ProcessRow(msgspec.Struct, frozen=True):
    """A negotiation or a transfer as it stands. Version 1; columns are only ever added.

    ``pid``: our id; ``side``: ours; ``address``: where the counterparty's messages go; ``trail``: the states reached,
    in order; ``offer``: the offer on the table (JSON); ``asked``: digest of the rules first asked for; ``opening``:
    digest of the message that opened it; ``repeat``: ``@id`` and digest of the last message that was taken;
    ``trouble``: what a person has to look at; ``version`` counts the writes.
    """

    pid: str
    kind: str
    side: str
    participant: str
    state: str
    peer_pid: str = ""
    address: str = ""
    trail: str = ""
    data_set: str = ""
    agreement: str = ""
    format: str = ""
    offer: bytes = b""
    asked: str = ""
    data_address: bytes = b""
    opening: str = ""
    repeat: str = ""
    trouble: str = ""
    created: Instant = 0
    changed: Instant = 0
    version: int = 1


class OwedRow(msgspec.Struct, frozen=True):
    """A message that is owed to a counterparty: at most one a process; kept until it is acknowledged or given up."""

    pid: str
    kind: str
    event: str
    url: str
    body: bytes
    attempts: int = 0
    next_at: Instant = 0
    since: Instant = 0


class ContractRow(msgspec.Struct, frozen=True):
    """An agreement of the protocol; ``state`` is its negotiation's. ``document``: the ODRL agreement (JSON)."""

    agreement: str
    side: str
    participant: str
    data_set: str
    state: str
    document: bytes
    negotiation: str = ""
    at: Instant = 0


class TokenRow(msgspec.Struct, frozen=True):
    """The token of a transfer, by digest alone."""

    transfer: str
    digest: str
    expires: Instant


class NoteRow(msgspec.Struct, frozen=True):
    """Evidence that is owed to the log; ``number`` is the store's."""

    kind: str
    subject: str
    at: Instant
    values: bytes
    number: int = 0


class AnswerRow(msgspec.Struct, frozen=True):
    """A person's answer to what was held: who, when, on what ground, and the facts that the person vouches for.

    ``facts``: operand to values (JSON). ``offer``: digest of the rules that are answered. ``signed``: the hospital's
    signed answer, where it came from elsewhere.
    """

    pid: str
    accepted: bool
    by: str
    ground: str
    facts: bytes = b"{}"
    offer: str = ""
    at: Instant = 0
    signed: bytes = b""


class Step(msgspec.Struct, frozen=True):
    """One change of a process with all that belongs to it: written whole or not at all.

    ``owed`` None: nothing is owed any more. ``contract``, ``token`` and ``answer`` replace those of the same key.
    """

    row: ProcessRow
    owed: OwedRow | None = None
    contract: ContractRow | None = None
    token: TokenRow | None = None
    note: NoteRow | None = None
    answer: AnswerRow | None = None


class Change(msgspec.Struct, frozen=True):
    """One write: a process added or put (``step``), an owed message postponed, a note kept, or dropped by number."""

    do: Literal["add", "put", "postpone", "note", "drop"]
    step: Step | None = None
    owed: OwedRow | None = None
    note: NoteRow | None = None
    number: int = 0


class ConnectorStore(Protocol):
    """Keeps processes, owed messages, agreements, tokens, answers and notes; each call is one transaction.

    ``waits``: whether a write waits for a disk or a server. Safe from several threads where it does.
    """

    waits: bool

    def apply(self, changes: Sequence[Change]) -> list[bool]:
        """Several writes in their order, in one transaction; for each what its own call would have told."""

    def add(self, step: Step) -> bool:
        """Keep a new process; False, and nothing kept, where its id or its counterparty's id is known."""

    def put(self, step: Step) -> bool:
        """Replace a process whose version is one less; False, and nothing changed, where it is another."""

    def process(self, pid: str) -> ProcessRow | None:
        """By our id."""

    def by_peer(self, kind: str, side: str, participant: str, peer_pid: str) -> ProcessRow | None:
        """By the counterparty and its id."""

    def processes(self, kind: str, after: str = "", most: int = 1_000) -> tuple[ProcessRow, ...]:
        """All of a kind, by our id, after this one."""

    def open_processes(self, participant: str) -> int:
        """How many negotiations and transfers with this counterparty have not ended."""

    def begun(self, participant: str, since: Instant) -> int:
        """How many processes this counterparty opened since then, ended or not."""

    def owed(self, pid: str) -> OwedRow | None:
        """What is owed in this process."""

    def all_owed(self) -> tuple[OwedRow, ...]:
        """What is owed in all."""

    def postpone(self, row: OwedRow) -> None:
        """Keep attempts and next instant of an owed message, unless another message took its place."""

    def contract(self, agreement: str, side: str) -> ContractRow | None:
        """An agreement by its id and our side."""

    def put_contract(self, row: ContractRow) -> None:
        """Keep an agreement that was made elsewhere."""

    def contracts(self) -> tuple[ContractRow, ...]:
        """Every agreement."""

    def token(self, transfer: str) -> TokenRow | None:
        """The token of a transfer."""

    def answer(self, pid: str) -> AnswerRow | None:
        """What a person answered in this process."""

    def add_note(self, row: NoteRow) -> None:
        """Keep a note by itself."""

    def notes(self, most: int = 100) -> tuple[NoteRow, ...]:
        """The oldest notes."""

    def drop_note(self, number: int) -> None:
        """A note that the log has."""

    def close(self) -> None:
        """Close what is open."""


class Caller(msgspec.Struct, frozen=True):
    """Who stands at the door: a participant, and what is proven about it."""

    participant: str
    claims: tuple[tuple[str, str], ...] = ()


class Authenticate(Protocol):
    """Finds out who calls."""

    async def __call__(self, header: str) -> Caller | None:
        """The caller that an ``Authorization`` header proves ("" where there is none); None for nobody."""


class Present(Protocol):
    """Says who we are."""

    async def __call__(self, participant: str, url: str) -> str:
        """The ``Authorization`` header for a message to ``participant`` at ``url``; "" for none."""


class Entry(msgspec.Struct, frozen=True):
    """A data set in the catalog; ``offers`` are ODRL offers without target. ``labels``: further members (title …)."""

    data_set: str
    offers: tuple[Document, ...]
    formats: tuple[str, ...] = ("HttpData-PULL",)
    keywords: tuple[str, ...] = ()
    labels: Mapping[str, Any] = {}


class Wanted(msgspec.Struct, frozen=True):
    """A filter of the catalog: every given part must hold. ``text`` is sought in id, title and keywords."""

    ids: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    text: str = ""


class Page(msgspec.Struct, frozen=True):
    """Some entries in the order of their ids; ``before`` and ``after`` are cursors of the neighbours, or ""."""

    entries: tuple[Entry, ...]
    before: str = ""
    after: str = ""


class Offers(Protocol):
    """The data sets that a participant may see, with their offers."""

    async def page(self, caller: Caller, wanted: Wanted, cursor: str, most: int) -> Page:
        """One page; ``BadMessage`` for a cursor that is none."""

    async def entry(self, caller: Caller, data_set: str) -> Entry | None:
        """One data set; None where there is none for this caller."""


class Item(msgspec.Struct, frozen=True):
    """Bytes that may leave: an L1 product (``grade`` L1), or a result that the gate released (``released`` true)."""

    item_id: str
    size_bytes: int
    digest: str
    grade: str
    released: bool = False
    media_type: str = "application/octet-stream"


class Released(Protocol):
    """Products of grade L1 and results that the gate released; nothing else is behind this port."""

    async def find(self, contract: ContractRow) -> Item | None:
        """What an agreement's data set is as bytes; None where nothing of it was released to this party."""

    def read(self, item: Item, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from ``start`` to before ``end``."""


class Decide(Protocol):
    """The space's terms, the same for every path."""

    async def __call__(self, step: str, caller: Caller, data_set: str, policy: Document) -> Verdict:
        """Whether ``step`` is allowed under ``policy`` (an offer or an agreement).

        ``negotiate``: it may be talked about; ``agree``: we may bind ourselves without a person; ``accept``: we may,
        a person having agreed, whose facts are among the caller's claims; ``transfer``; ``fetch``.
        """


class Evidence(Protocol):
    """The log of the space."""

    async def __call__(self, note: NoteRow) -> None:
        """Record a note; the same number may come again after a crash."""


class Answer(msgspec.Struct, frozen=True):
    """What a counterparty answered; ``next_url``: the next page (``Link`` header)."""

    status: int
    body: bytes = b""
    retry_after_s: float = 0.0
    next_url: str = ""


class Sender(Protocol):
    """Carries messages over the network."""

    async def post(self, url: str, body: bytes, authorization: str) -> Answer:
        """POST JSON; ``Unreachable`` where nobody answered."""

    async def get(self, url: str, authorization: str) -> Answer:
        """GET; ``Unreachable`` where nobody answered."""
