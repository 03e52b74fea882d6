"""Errors of the room: papers that are genuine and yet do not say what they are held out for."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class AccessError(XinglinError):
    """Root of this room's errors."""

    code = "access.error"


class NotThisAct(AccessError):
    """An act on an application that is not written in its one form, or not by the person it names."""

    code = "access.not_this_act"


class NotThisCharter(AccessError):
    """A committee's charter that no regulator signed, or that cannot work."""

    code = "access.not_this_charter"


class NotThisMotion(AccessError):
    """A motion, vote or recusal that does not belong to this committee's review."""

    code = "access.not_this_motion"


class NotThisApproval(AccessError):
    """A resolution whose votes, signatures or scope do not make it an approval of this committee."""

    code = "access.not_this_approval"
