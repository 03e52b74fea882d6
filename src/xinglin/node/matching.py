"""A hospital asks for its patients' pseudonyms in a study: it blinds, both holders evaluate, it checks and unblinds.

Identity numbers are read from a file of the hospital's own and leave this process blinded only. What was obtained is
kept in the output file as it comes: after a crash the rest is asked, and a batch that was answered and lost is
answered again at no charge, for its blinds are derived from this node's own secret.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path

import httpx

from xinglin.kernel.codec import decode_json, decode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import deny
from xinglin.node.hub_answers import HubAway
from xinglin.node.joining import SALT_FILE
from xinglin.node.wiring import Node
from xinglin.patients.identity import parse_id
from xinglin.secure.blind.keeping import QUESTION_BYTES, ask, open_answer, open_share
from xinglin.secure.blind.split import Asker, Share
from xinglin.secure.ports import Entropy
from xinglin.stores.tls import write_private
from xinglin.trust.envelope import Signed
from xinglin.wire.blind import EVALUATE_PATH, SHARES_PATH, BothHolders, study_name
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Problem, Refused

MATCH_VERBS = ("match-pseudonyms",)
PEOPLE = Limit("people of one file of identity numbers", 5_000_000, "people")
FILE_BYTES = Limit("file of identity numbers", 512 * 1024 * 1024, "bytes")
ANSWER_BYTES = Limit("answer of the key holders", 1024 * 1024, "bytes")
BATCH = 2_048
HEADER = ("key", "pseudonym")


async def answer_about_matching(node: Node, call: DeskCall) -> dict[str, object]:
    """``match-pseudonyms``: ``study``, ``ids`` and ``out`` (paths), ``patients`` (how many the hospital has)."""
    given = call.arguments
    own = Pseudonyms(node)
    patients = given.get("patients", "")
    if not patients.isdigit():
        raise Refused(deny("node.match_patients", "Say how many patients the hospital has.").reasons)
    return await own.obtain(study_name(given.get("study", "")), Path(given["ids"]), Path(given["out"]), int(patients))


class Pseudonyms:
    """This node's side towards the two key holders."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._directory = node.view.record.directory
        self._holders = (node.space.operator, node.space.regulator)

    async def obtain(self, study: str, ids: Path, out: Path, patients: int) -> dict[str, object]:
        """Pseudonyms of everybody in ``ids`` (CSV ``key,identity number``), added to ``out`` (CSV ``key,pseudonym``).

        Raises ``Refused`` with a holder's reasons, ``BadProof`` or ``WrongAnswer`` naming a holder that cheats.
        """
        people, unusable = await asyncio.to_thread(_read, ids)
        known = await asyncio.to_thread(_known, out)
        waiting = [(key, number) for key, number in people if key not in known]
        shares = await self._shares(study)
        asked = 0
        for at in range(0, len(waiting), BATCH):
            batch = waiting[at : at + BATCH]
            found = await self._batch(study, shares, [number.encode() for _, number in batch], patients)
            known |= {key: one.hex() for (key, _), one in zip(batch, found, strict=True)}
            asked += len(batch)
            await asyncio.to_thread(_write, out, known)
        if not waiting:
            await asyncio.to_thread(_write, out, known)
        digest = hashlib.sha256(b"".join(share.element for share in shares)).hexdigest()
        return {"study": study, "pseudonyms": len(known), "asked": asked, "unusable": unusable, "key": digest}

    async def _shares(self, study: str) -> tuple[Share, Share]:
        answer = await self._ask("GET", f"/v1{SHARES_PATH}/{study}", b"")
        hub, regulator = self._holders
        return (
            open_share(Signed.from_bytes(answer.hub, QUESTION_BYTES), hub, study, self._directory),
            open_share(Signed.from_bytes(answer.regulator, QUESTION_BYTES), regulator, study, self._directory),
        )

    async def _batch(self, study: str, shares: tuple[Share, Share], numbers: list[bytes], patients: int) -> list[bytes]:
        secret = (self._node.folder / SALT_FILE).read_bytes()
        asker = Asker(study, shares, own_blinds(secret, study, numbers))
        asked = await asyncio.to_thread(asker.ask, numbers)
        question = ask(self._node.keys, study, patients, asked.blinded, self._node.clock())
        both = await self._ask("POST", f"/v1{EVALUATE_PATH}", question.to_bytes())
        answers = {
            holder: open_answer(Signed.from_bytes(said, QUESTION_BYTES), holder, study, asked.blinded, self._directory)
            for holder, said in zip(self._holders, (both.hub, both.regulator), strict=True)
        }
        return await asyncio.to_thread(asker.finish, asked, answers)

    async def _ask(self, method: str, path: str, body: bytes) -> BothHolders:
        client = self._node.client
        try:
            answer = await client.send(client.build_request(method, path, content=body or None))
        except httpx.HTTPError as error:
            raise HubAway(f"The hub does not answer ({type(error).__name__}).", remedy="Try again.") from error
        if answer.status_code != httpx.codes.OK:
            raise Refused(decode_json(answer.content, Problem).reasons, status=answer.status_code)
        return decode_msgpack(answer.content, BothHolders, ANSWER_BYTES)


def own_blinds(secret: bytes, study: str, numbers: list[bytes]) -> Entropy:
    """Blinds of one batch, the same each time: uniform to all who lack ``secret`` (SHAKE-256 under HMAC)."""
    key = hmac.digest(secret, b"xinglin blinds/1\0" + study.encode() + b"\0" + b"\0".join(numbers), "sha256")
    counter = iter(range(2**62))

    def entropy(count: int) -> bytes:
        return hashlib.shake_256(key + next(counter).to_bytes(8, "big")).digest(count)

    return entropy


def _read(path: Path) -> tuple[list[tuple[str, str]], int]:
    """(key, normalised identity number) of each person, and how many lines hold no number that vouches for itself."""
    FILE_BYTES.check(path.stat().st_size)
    people: dict[str, str] = {}
    unusable = 0
    for key, text in _rows(path):
        number = parse_id(text)
        if number is None or number.kind in ("damaged", "other"):
            unusable += 1
        else:
            people[key] = number.number
    PEOPLE.check(len(people))
    return sorted(people.items()), unusable


def items_of(path: Path) -> tuple[list[str], list[bytes], int]:
    """Of a file of people: the key of each distinct number, the numbers (both in one order), and how many were bad."""
    people, unusable = _read(path)
    first = {number: key for key, number in reversed(people)}
    numbers = sorted(first)
    return [first[number] for number in numbers], [number.encode() for number in numbers], unusable


def write_keys(path: Path, keys: list[str]) -> None:
    """Keys, one a line under a header, in a file that only its owner reads."""
    write_private(path, ("\n".join(["key", *map(_quoted, sorted(keys))]) + "\n").encode())


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        next(reader, None)
        for row in reader:
            if len(row) < 2:
                raise MalformedMessage("A line without two columns.", remedy="Give key and identity number.")
            yield row[0].strip(), row[1]


def _known(path: Path) -> dict[str, str]:
    return {key: text for key, text in _rows(path) if len(text) == 64} if path.exists() else {}


def _write(path: Path, known: dict[str, str]) -> None:
    lines = [",".join(HEADER), *(f"{_quoted(key)},{text}" for key, text in sorted(known.items()))]
    write_private(path, ("\n".join(lines) + "\n").encode())


def _quoted(key: str) -> str:
    return '"' + key.replace('"', '""') + '"' if any(sign in key for sign in ',"\n\r') else key
