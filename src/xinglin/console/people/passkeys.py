"""Passkeys (W3C Web Authentication, level 3): made on the account's page, asked for at the sign-in.

The authenticator has to verify its user (a finger, a face, a PIN), so that a passkey is both factors at once. Each
question is asked of one session and answered once.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import msgspec

from xinglin.console.people.errors import PasskeyRefused, PasskeysMissing
from xinglin.console.people.model import PASSKEYS, PasskeyRecord, PersonRecord, SessionRecord, Step
from xinglin.console.people.service import People
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit

ANSWER_CHARACTERS = Limit("answer of an authenticator", 20_000, "characters")
LABEL_CHARACTERS = Limit("label of a passkey", 60, "characters")
_TIMEOUT_MS = 120_000


class Passkeys:
    """Passkeys for the console at ``url``. ``institution`` is what the browser calls it."""

    def __init__(
        self,
        people: People,
        url: str,
        institution: str,
        clock: Clock,
    ) -> None:
        parts = urlsplit(url)
        self._people, self._clock = people, clock
        self._origin, self._host = f"{parts.scheme}://{parts.netloc}", parts.hostname or ""
        self._institution = institution or "Xinglin"

    def missing(self) -> PasskeysMissing | None:
        """Why there are no passkeys here, and the next step; None where there are."""
        if find_spec("webauthn") is None:
            return PasskeysMissing(
                "Passkeys need a library that is not installed.", remedy="Install xinglin[passkeys], and start again."
            )
        if _is_address(self._host):
            return PasskeysMissing(
                "Browsers keep passkeys for names, not for addresses of numbers.",
                remedy="Set public_url to a name; on this machine to http://localhost with the port.",
            )
        return None

    def invitation(self, token: str) -> str:
        """What the browser is asked when a passkey is made (JSON). Raises ``NotProved`` or ``PasskeysMissing``."""
        from webauthn import generate_registration_options, options_to_json
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            PublicKeyCredentialDescriptor,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        found, person = self._here(token)
        PASSKEYS.check(len(person.passkeys) + 1)
        challenge = self._challenge(token, found)
        options = generate_registration_options(
            rp_id=self._host,
            rp_name=self._institution,
            user_name=person.name,
            user_id=person.id.encode(),
            user_display_name=person.label,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one.id) for one in person.passkeys],
        )
        return options_to_json(options)

    def make(self, token: str, answer: str, label: str) -> tuple[str, tuple[str, ...]]:
        """A passkey was made: the new token, and recovery codes where the account had none.

        Raises ``PasskeyRefused`` for anything but the answer to this session's question.
        """
        from webauthn import verify_registration_response
        from webauthn.helpers.exceptions import WebAuthnException

        found, person = self._here(token)
        ANSWER_CHARACTERS.check(len(answer))
        LABEL_CHARACTERS.check(len(label))
        taken = self._people.sessions.take(token)
        if taken is None:
            raise _refused()
        challenge = self._challenge(token, taken)
        try:
            proved = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise _refused() from error
        kept = PasskeyRecord(
            proved.credential_id,
            proved.credential_public_key,
            proved.sign_count,
            label or "Passkey",
            self._clock(),
        )

        def with_it(one: PersonRecord) -> PersonRecord:
            PASSKEYS.check(len(one.passkeys) + 1)
            return msgspec.structs.replace(one, passkeys=(*one.passkeys, kept))

        self._people.accounts.change(person.id, with_it)
        codes = () if person.recovery else self._people.factors.renew_recovery(person.id)
        return self._people.changed_factor(token, found, person), codes

    def question(self, token: str) -> str:
        """What the browser is asked at a sign-in (JSON); of whoever is known already, their own passkeys only."""
        from webauthn import generate_authentication_options, options_to_json
        from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

        self._check()
        found = self._people.sessions.find(token)
        if found is None:
            raise PasskeyRefused("The sign-in form is too old.", remedy="Load the page again.")
        person = self._people.accounts.held(found.person) if found.person else None
        options = generate_authentication_options(
            rp_id=self._host,
            challenge=self._challenge(token, found),
            timeout=_TIMEOUT_MS,
            allow_credentials=[PublicKeyCredentialDescriptor(id=one.id) for one in person.passkeys] if person else None,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options)

    def answered(self, token: str, answer: str, *, from_: str, return_to: str = "/") -> Step:
        """The answer at a sign-in, or to a fresh proof of whoever is signed in."""
        self._check()
        ANSWER_CHARACTERS.check(len(answer))
        found = self._people.sessions.take(token)
        if found is None:
            return Step("refused", code="over")
        try:
            person = self._signer(found, self._challenge(token, found), answer)
        except PasskeyRefused:
            return Step("refused", code="passkey")
        if found.stage == "in":
            return self._people.proved(token, found, person, from_)
        if found.stage == "half":
            return self._people.enter(token, person, from_, found.return_to)
        return self._people.enter(token, person, from_, return_to)

    def _signer(self, found: SessionRecord, challenge: bytes, answer: str) -> PersonRecord:
        """Whose passkey answered; raises ``PasskeyRefused``."""
        from webauthn import verify_authentication_response
        from webauthn.helpers.exceptions import WebAuthnException

        person, key = self._named(found, answer)
        try:
            proved = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=key.public_key,
                credential_current_sign_count=key.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise _refused() from error
        return self._used(person.id, key, proved.new_sign_count)

    def _named(self, found: SessionRecord, answer: str) -> tuple[PersonRecord, PasskeyRecord]:
        """The account that the session knows, else the one that the passkey names, with that passkey."""
        try:
            given: dict[str, Any] = msgspec.json.decode(answer.encode(), type=dict[str, Any])
            key_id = _bytes(given["rawId"])
            named = _bytes((given["response"] or {}).get("userHandle") or "").decode()
        except (msgspec.DecodeError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise _refused() from error
        if found.person and named and not hmac.compare_digest(named.encode(), found.person.encode()):
            raise _refused()
        person = self._people.accounts.held(found.person or named)
        key = next((one for one in person.passkeys if one.id == key_id), None) if person is not None else None
        if person is None or key is None:
            raise _refused()
        return person, key

    def _used(self, person_id: str, key: PasskeyRecord, sign_count: int) -> PersonRecord:
        now = self._clock()

        def counted(one: PersonRecord) -> PersonRecord:
            held = next((kept for kept in one.passkeys if kept.id == key.id), None)
            # Two answers at once cannot both be newer than the count.
            if held is None or (sign_count <= held.sign_count and (sign_count or held.sign_count)):
                raise _refused()
            after = msgspec.structs.replace(held, sign_count=sign_count, used=now)
            return msgspec.structs.replace(
                one, passkeys=tuple(after if kept.id == key.id else kept for kept in one.passkeys)
            )

        return self._people.accounts.change(person_id, counted)

    def _here(self, token: str) -> tuple[SessionRecord, PersonRecord]:
        self._check()
        return self._people.proved_here(token)

    def _check(self) -> None:
        missing = self.missing()
        if missing is not None:
            raise missing

    def _challenge(self, token: str, found: SessionRecord) -> bytes:
        """What is asked of a session until it is answered; nobody else can say it, and nothing is kept of it."""
        return self._people.sessions.word_of("passkey", token, found).encode()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return not host
    return True


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _refused() -> PasskeyRefused:
    return PasskeyRefused(
        "The passkey's answer is not the one that was asked for.", remedy="Load the page again, and repeat it."
    )
