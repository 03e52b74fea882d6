"""Errors of the console's people."""

from __future__ import annotations

from xinglin.console.errors import ConsoleError
from xinglin.kernel.errors import ReasonedError


class PeopleError(ConsoleError):
    """Root of what goes wrong with accounts and sign-ins."""

    code = "console.people"


class PeopleTampered(PeopleError):
    """Something other than this console wrote a stored record, or its key is another's: it is not believed."""

    code = "console.people_tampered"
    status = 500


class KeyFault(PeopleError):
    """The key under which accounts are stored is missing, damaged, or readable by others."""

    code = "console.people_key"
    status = 500


class WeakPassword(ReasonedError, PeopleError):
    """A password that is refused; ``reason`` is ``short``, ``long``, ``name`` or ``common``."""

    code = "console.weak_password"
    status = 422


class NoSuchPerson(PeopleError):
    """There is no account of that name."""

    code = "console.no_such_person"
    status = 404


class PersonExists(PeopleError):
    """There is an account of that name, or of that subject at the institution's sign-in."""

    code = "console.person_exists"
    status = 409


class SeatNotGranted(PeopleError):
    """A seat that this person may not take."""

    code = "console.seat_not_granted"
    status = 403


class NotProved(PeopleError):
    """A deed that asks for a proof who acts: it was not given, or was wrong."""

    code = "console.not_proved"
    status = 403


class PasskeysMissing(PeopleError):
    """Passkeys need a library that is not installed, or an address for which browsers offer none."""

    code = "console.passkeys_missing"
    status = 501


class PasskeyRefused(PeopleError):
    """What an authenticator answered is not what was asked for."""

    code = "console.passkey_refused"
    status = 403


class OutsideRefused(ReasonedError, PeopleError):
    """An institution's sign-in that is not believed; ``reason`` says at which check it fell."""

    code = "console.outside_refused"
    status = 403
