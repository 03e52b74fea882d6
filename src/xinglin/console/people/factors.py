"""Second factors by numbers: enrolled by the first right code, spent code by code, given back by their owner."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable

import msgspec

from xinglin.console.people.accounts import Accounts
from xinglin.console.people.errors import NoSuchPerson, NotProved
from xinglin.console.people.model import PersonRecord
from xinglin.console.people.seal import Seal
from xinglin.console.people.totp import SECRET_BYTES, matching_step, new_recovery_codes, recovery_typed
from xinglin.kernel.instants import Clock


class Factors:
    """Changes what an account's second step asks for. Who may ask for a change is the service's to check."""

    def __init__(
        self, accounts: Accounts, seal: Seal, clock: Clock, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._accounts, self._seal, self._clock, self._entropy = accounts, seal, clock, entropy

    def new_secret(self) -> bytes:
        """A TOTP secret that no account has yet."""
        return self._entropy(SECRET_BYTES)

    def enrol(self, person_id: str, secret: bytes, code: str) -> tuple[str, ...]:
        """Codes are asked for from now on; the recovery codes, told this once. Raises ``NotProved``."""
        step = matching_step(secret, code, self._clock(), 0)
        if not step:
            raise NotProved(
                "That is not the code of this moment.",
                remedy="Check the telephone's clock, and type the next one.",
            )
        codes, kept = self._recovery(person_id)
        self._accounts.change(
            person_id, lambda one: msgspec.structs.replace(one, totp_secret=secret, totp_step=step, recovery=kept)
        )
        return codes

    def enrol_unproved(self, person_id: str) -> tuple[bytes, tuple[str, ...]]:
        """A secret and recovery codes made by whoever keeps the accounts, to be handed over by word of mouth."""
        secret, (codes, kept) = self.new_secret(), self._recovery(person_id)
        self._accounts.change(
            person_id,
            lambda one: msgspec.structs.replace(one, totp_secret=secret, totp_step=0, recovery=kept),
            end_sessions=True,
        )
        return secret, codes

    def spend(self, person_id: str, code: str) -> bool:
        """Whether this is the code of the moment, or a recovery code; it is good no second time."""
        now = self._clock()
        given = self._digest(person_id, recovery_typed(code))

        def used(one: PersonRecord) -> PersonRecord:
            step = matching_step(one.totp_secret, code, now, one.totp_step) if one.totp_secret else 0
            if step:
                return msgspec.structs.replace(one, totp_step=step)
            left = tuple(kept for kept in one.recovery if not hmac.compare_digest(kept, given))
            if not recovery_typed(code) or len(left) == len(one.recovery):
                raise NotProved("That code is not right, or was used.")
            return msgspec.structs.replace(one, recovery=left)

        try:
            self._accounts.change(person_id, used)
        except (NotProved, NoSuchPerson):
            return False
        return True

    def drop_totp(self, person_id: str) -> None:
        """Codes are asked for no more; recovery codes stay only where there are passkeys."""
        self._accounts.change(
            person_id,
            lambda one: msgspec.structs.replace(
                one, totp_secret=b"", totp_step=0, recovery=one.recovery if one.passkeys else ()
            ),
        )

    def drop_passkey(self, person_id: str, key: bytes) -> None:
        """A passkey is taken no more; recovery codes go with the last factor."""

        def without(one: PersonRecord) -> PersonRecord:
            left = tuple(kept for kept in one.passkeys if kept.id != key)
            recovery = one.recovery if left or one.totp_secret else ()
            return msgspec.structs.replace(one, passkeys=left, recovery=recovery)

        self._accounts.change(person_id, without)

    def renew_recovery(self, person_id: str) -> tuple[str, ...]:
        """New recovery codes, told this once; the old ones are worth nothing."""
        codes, kept = self._recovery(person_id)
        self._accounts.change(person_id, lambda one: msgspec.structs.replace(one, recovery=kept))
        return codes

    def _recovery(self, person_id: str) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
        codes = new_recovery_codes(self._entropy)
        return codes, tuple(self._digest(person_id, recovery_typed(code)) for code in codes)

    def _digest(self, person_id: str, code: str) -> bytes:
        return self._seal.digest("recovery", person_id, code)
