"""Errors of the room ``console``."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class ConsoleError(XinglinError):
    """Root of the console's errors; ``status`` is the HTTP status of the page that tells it."""

    code = "console.error"
    status = 400


class NotThere(ConsoleError):
    """No such page, or no such object among those that this seat may see."""

    code = "console.not_there"
    status = 404


class NotJoinedYet(NotThere):
    """The seat's folder belongs to no space yet; a hospital's seat goes to the page of joining."""

    code = "console.not_joined_yet"


class NotYours(ConsoleError):
    """The page belongs to another role."""

    code = "console.not_yours"
    status = 403


class NotSignedIn(ConsoleError):
    """Nobody is signed in, or the session is over."""

    code = "console.not_signed_in"
    status = 401


class Forged(ConsoleError):
    """A form that this session did not make."""

    code = "console.forged"
    status = 403


class BadField(ConsoleError):
    """A field of a form that cannot be read; ``field`` is its name."""

    code = "console.bad_field"
    status = 422

    def __init__(self, field: str, what: str, *, why: str = "", remedy: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.field = field


class TooMany(ConsoleError):
    """More of something at once than the console serves."""

    code = "console.too_many"
    status = 429


class ProveAgain(ConsoleError):
    """A deed for which the person has to prove anew who they are; ``kept``: the form that they filled in, as text."""

    code = "console.prove_again"
    status = 403

    def __init__(self, what: str, *, why: str = "", remedy: str = "", kept: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.kept = kept
