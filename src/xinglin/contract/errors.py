"""Errors of the room: signed papers that do not belong together."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class ContractError(XinglinError):
    """Root of this room's errors."""

    code = "contract.error"


class NotThisAgreement(ContractError):
    """Signatures that are genuine, and yet do not make this agreement between these two parties."""

    code = "contract.not_this_agreement"


class NotThisStudy(ContractError):
    """A study that was signed by somebody other than its requester, or that is not well formed."""

    code = "contract.not_this_study"


class NotThisNotice(ContractError):
    """A notice of breach or an answer that is not well formed, or is by somebody else."""

    code = "contract.not_this_notice"


class NotThisChange(ContractError):
    """A change of an agreement that is not well formed, or by somebody who may not make it."""

    code = "contract.not_this_change"


class BadRules(ContractError):
    """A file of auto-pilot rules or a template that cannot be meant."""

    code = "contract.bad_rules"


class NotThisFace(ContractError):
    """A face that does not say what the agreement says that it names, or that is not well formed."""

    code = "contract.not_this_face"
