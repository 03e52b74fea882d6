"""Members of the space: invites, registrations as log leaves, and the directory folded from the hub's own log."""

from __future__ import annotations

import secrets

from xinglin.evidence.entry import Entry
from xinglin.evidence.notes import parse_vkey
from xinglin.evidence.policy import Cosigner, LogKey, default_policy
from xinglin.hub.log import LogService
from xinglin.hub.ports import HubStore
from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.trust.credentials import Credential, StatusEntry, issue_credential, issue_status_list
from xinglin.trust.keys import PrivateKeys, verify
from xinglin.trust.leaves import KeyRegistration, admit, leaf_body, leaf_kind
from xinglin.trust.registry import KeyDirectory
from xinglin.trust.status_list import StatusList
from xinglin.wire.calls import EnrolCall
from xinglin.wire.errors import Refused
from xinglin.wire.policy import cosigning_key
from xinglin.wire.record import SpaceRecord
from xinglin.wire.space import Invite, Space

INVITE_LIFE_MS = 60 * 60 * 1000
INVITE_LIFE = Limit("life of an invite", 7 * 24 * 3600 * 1000, "ms")
CREDENTIAL_LIFE_MS = 365 * 24 * 3600 * 1000
STATUS_LIFE_MS = 15 * 60 * 1000
INVITED_ROLES = {
    "provider": ("provider", "witness"),
    "consumer": ("consumer",),
    "service": ("service",),
    "person": (),
    "workspace": ("workspace",),
}
"""What an invite's role becomes: a hospital's node witnesses too; a person's institution vouches for them.

A workspace is of an institution that asks for data, which vouches for it as for a person.
"""


class InviteRefused(XinglinError):
    """An invite that is unknown, used or too old: the three are not told apart."""

    code = "hub.invite_refused"


class Members:
    """Who belongs to the space: what the log says (``record``), and nothing else."""

    def __init__(self, space: Space, keys: PrivateKeys, store: HubStore, log_service: LogService, clock: Clock) -> None:
        self._space, self._keys, self._store, self._log, self._clock = space, keys, store, log_service, clock
        self.record = SpaceRecord(space)

    @property
    def directory(self) -> KeyDirectory:
        """Keys and roles as of the newest leaf."""
        return self.record.directory

    def name_of(self, did: str) -> str:
        """How a member is called; its DID where the log does not name it yet."""
        found = self.directory.participants.get(did)
        return found.name if found is not None else did

    def catch_up(self) -> None:
        """Take every leaf of the log that is new here, in order."""
        size, policy = self._log.size(), self.record.policy_text
        while self.record.size < size:
            start = self.record.size
            for data in self._log.entries(start, min(size, start + 1024)):
                self.record.take(data)
        if self.record.policy_text != policy:
            self._log.set_policy(self.record.policy)

    def proposed_policy(self) -> str:
        """The quorum policy over today's members, for the regulator to sign."""
        directory = self.directory
        seats = [_cosigner(directory, did) for did in directory.holders("witness") if did != self._space.regulator]
        log_key = LogKey(parse_vkey(self._space.log_vkey), self._space.hub_url)
        return default_policy(log_key, [_cosigner(directory, self._space.regulator)], seats).to_text()

    def invite(self, role: str, life_ms: int = INVITE_LIFE_MS) -> Invite:
        """A single-use invite for ``role`` that lives ``life_ms`` milliseconds, at most ``INVITE_LIFE``."""
        if role not in INVITED_ROLES:
            known = ", ".join(sorted(INVITED_ROLES))
            raise Refused((Reason("hub.unknown_role", f"There is no role {role!r}.", f"Choose one of {known}."),))
        INVITE_LIFE.check(life_ms)
        secret = secrets.token_urlsafe(32)
        expires = self._clock() + life_ms
        self._store.add_invite(sha256_digest(secret.encode()), role, expires)
        return Invite(self._space, role, secret, expires)

    async def enrol(self, call: EnrolCall) -> tuple[KeyRegistration, int]:
        """Put the registration into the log, once for an invite.

        What is wrong with the registration itself is refused before the invite is used; one for other roles than the
        invite's uses it up, and so does a log that cannot be written: then the operator invites again.
        """
        registration = decode_json(call.registration, KeyRegistration)
        admitted = admit(registration, self._keys)
        probe = self.directory.apply(self.directory.last + 1, admitted)
        if isinstance(probe, Denied):
            raise Refused(probe.reasons)
        role = self._store.use_invite(sha256_digest(call.secret.encode()), registration.did, self._clock())
        if role is None:
            raise InviteRefused(
                "This invite is not valid: it is unknown, was used, or is too old.",
                remedy="Ask the operator for a new one.",
            )
        if tuple(sorted(INVITED_ROLES[role])) != tuple(sorted(registration.roles)):
            raise Refused(deny("hub.role", "The registration asks for other roles than the invite.").reasons)
        return admitted, await self.record_registration(admitted)

    async def record_registration(self, registration: KeyRegistration) -> int:
        """Log a registration and take it into the directory; returns its index."""
        entry = Entry(
            kind=leaf_kind(registration),
            at=self._clock(),
            submitter=self._keys.did,
            parties=(registration.did,),
            subject=registration.did,
            body=leaf_body(registration),
        )
        (index,) = await self._log.append([entry.to_bytes()])
        self.catch_up()
        return index

    def membership(self, registration: KeyRegistration, index: int) -> Credential:
        """The operator's credential (VC 2.0) that the registered party is a member, placed in the status list."""
        now = self._clock()
        return issue_credential(
            self._keys,
            credential_id=f"{self._space.hub_url}/v1/participants/{registration.did}",
            kind="Membership",
            subject=registration.did,
            claims={"name": registration.name, "roles": list(registration.roles), "space": self._space.name},
            valid_from=now,
            valid_until=now + CREDENTIAL_LIFE_MS,
            status=StatusEntry(self._status_url, index),
        )

    def status_list(self) -> Credential:
        """The published status list: a bit for each registration's index, set once it is revoked."""
        entries = StatusList()
        for one in self.directory.participants.values():
            if one.revoked >= 0:
                entries = entries.with_entry(one.since, True)
        now = self._clock()
        return issue_status_list(
            self._keys, list_id=self._status_url, entries=entries, valid_from=now, valid_until=now + STATUS_LIFE_MS
        )

    @property
    def _status_url(self) -> str:
        return f"{self._space.hub_url}/v1/status/1"

    def check_batch(self, submitter: str, context: str, payload: bytes, signature: bytes) -> None:
        """Verify a submission's signature by the directory (``xinglin.evidence.submission.Verify``)."""
        verify(self.directory.keys(submitter), context, payload, signature)

    def names(self) -> dict[str, str]:
        """DID to label."""
        return {did: one.name for did, one in self.directory.participants.items()}


def _cosigner(directory: KeyDirectory, did: str) -> Cosigner:
    return Cosigner(did, (cosigning_key(did, directory.keys(did)),))
