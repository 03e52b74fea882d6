"""A hospital asks for its patients' pseudonyms in a study: it blinds, both holders evaluate, it checks and unblinds.

First the node decides by the study's agreement, and whoever objected, did not consent or is not known is left out.

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

import msgspec

from xinglin.kernel.codec import decode_json, decode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import deny
from xinglin.node.hub_answers import hub_answer
from xinglin.node.intersecting import Taking
from xinglin.node.joining import SALT_FILE
from xinglin.node.match_gate import Decision, decide_matching
from xinglin.node.match_people import persons_of, sifted, some_left
from xinglin.node.wiring import Node
from xinglin.patients.identity import parse_id
from xinglin.secure.blind.keeping import QUESTION_BYTES, ask, open_answer, open_share
from xinglin.secure.blind.split import Asker, Share
from xinglin.secure.ports import Entropy
from xinglin.stores.tls import write_private
from xinglin.trust.envelope import Signed
from xinglin.trust.keys import PrivateKeys
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
    """``match-pseudonyms``: ``study``, ``ids`` and ``out`` (paths), ``patients`` (where no index counts them)."""
    given = call.arguments
    own = Pseudonyms(node)
    counted = await asyncio.to_thread(persons_of, node.folder, node.keys)
    patients = given.get("patients", "")
    if counted is None and not patients.isdigit():
        words = "The node has no patient index, so nobody counted how many patients the hospital has."
        raise Refused(deny("node.match_patients", words, "Say it: --patients.").reasons)
    if counted is not None and patients.isdigit() and int(patients) != counted:
        words = f"The patient index holds {counted} persons; another number is not declared beside it."
        raise Refused(deny("node.match_counted", words, "Leave --patients out.").reasons)
    ids, out = Path(given["ids"]), Path(given["out"])
    quota = Declared(int(patients), False) if counted is None else Declared(counted, True)
    return await own.obtain(study_name(given.get("study", "")), ids, out, quota)


class Declared(msgspec.Struct, frozen=True):
    """How many patients the hospital has, and whether its patient index counted them."""

    patients: int
    counted: bool


class Pseudonyms:
    """This node's side towards the two key holders."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._directory = node.view.record.directory
        self._holders = (node.space.operator, node.space.regulator)

    async def obtain(self, study: str, ids: Path, out: Path, quota: Declared) -> dict[str, object]:
        """Pseudonyms of everybody in ``ids`` (CSV ``key,identity number``), added to ``out`` (CSV ``key,pseudonym``).

        Raises ``Refused`` with a holder's reasons, ``BadProof`` or ``WrongAnswer`` naming a holder that cheats.
        """
        decision = await decide_matching(self._node, study, "", ())
        read, unusable = await asyncio.to_thread(_read, ids)
        found = await asyncio.to_thread(sifted, self._node.folder, self._node.keys, read, decision.use)
        some_left(found)
        people = [one for one, keep in zip(read, found.keep, strict=True) if keep]
        left_out = {key for key, _ in read} - {key for key, _ in people}
        known = await asyncio.to_thread(_known, out)
        known = {key: one for key, one in known.items() if key not in left_out}
        waiting = [(key, number) for key, number in people if key not in known]
        shares = await self._shares(study)
        asked = 0
        for at in range(0, len(waiting), BATCH):
            batch = waiting[at : at + BATCH]
            made = await self._batch(study, shares, [number.encode() for _, number in batch], quota)
            known |= {key: one.hex() for (key, _), one in zip(batch, made, strict=True)}
            asked += len(batch)
            await asyncio.to_thread(_write, out, known)
        if not waiting:
            await asyncio.to_thread(_write, out, known)
        digest = hashlib.sha256(b"".join(share.element for share in shares)).hexdigest()
        return {
            "study": study,
            "pseudonyms": len(known),
            "asked": asked,
            "unusable": unusable,
            "objected": found.objected,
            "unknown": found.unknown,
            "patients": quota.patients,
            "counted": quota.counted,
            "key": digest,
        }

    async def _shares(self, study: str) -> tuple[Share, Share]:
        answer = await self._ask("GET", f"/v1{SHARES_PATH}/{study}", b"")
        hub, regulator = self._holders
        return (
            open_share(Signed.from_bytes(answer.hub, QUESTION_BYTES), hub, study, self._directory),
            open_share(Signed.from_bytes(answer.regulator, QUESTION_BYTES), regulator, study, self._directory),
        )

    async def _batch(
        self, study: str, shares: tuple[Share, Share], numbers: list[bytes], quota: Declared
    ) -> list[bytes]:
        secret = (self._node.folder / SALT_FILE).read_bytes()
        asker = Asker(study, shares, own_blinds(secret, study, numbers))
        asked = await asyncio.to_thread(asker.ask, numbers)
        node = self._node
        question = ask(node.keys, study, quota.patients, asked.blinded, node.clock(), counted=quota.counted)
        both = await self._ask("POST", f"/v1{EVALUATE_PATH}", question.to_bytes())
        answers = {
            holder: open_answer(Signed.from_bytes(said, QUESTION_BYTES), holder, study, asked.blinded, self._directory)
            for holder, said in zip(self._holders, (both.hub, both.regulator), strict=True)
        }
        return await asyncio.to_thread(asker.finish, asked, answers)

    async def _ask(self, method: str, path: str, body: bytes) -> BothHolders:
        client = self._node.client
        answer = await hub_answer(client, client.build_request(method, path, content=body or None), ANSWER_BYTES)
        if answer.status != 200:
            raise Refused(decode_json(answer.content, Problem).reasons, status=answer.status)
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


class People:
    """A file of people as one matching uses it: ``items`` gives who takes part, ``owners`` whose each item is."""

    def __init__(self, folder: Path, keys: PrivateKeys, path: Path) -> None:
        self._folder, self._keys = folder, keys
        self._read, self.unusable = _read(path)
        self.owners: list[str] = []
        self.objected = self.unknown = 0

    def items(self, decision: Decision) -> Taking:
        """Distinct numbers, sorted, of those whom the node's register and index let take part; ``Refused`` for nobody.

        A number that stands in two lines takes part only where both may: they are two records of one person.
        """
        found = some_left(sifted(self._folder, self._keys, self._read, decision.use))
        first: dict[str, str] = {}
        for (key, number), keep in zip(reversed(self._read), reversed(found.keep), strict=True):
            first[number] = key if keep and first.get(number, "-") else ""
        numbers = sorted(number for number, key in first.items() if key)
        self.owners = [first[number] for number in numbers]
        self.objected, self.unknown = found.objected, found.unknown
        return Taking(tuple(number.encode() for number in numbers), found.objected, found.unknown)


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
