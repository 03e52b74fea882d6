"""Notices of breach: what one party says that the other did; the log holds the notice's digest alone."""

from __future__ import annotations

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.request import is_did, is_digest

BREACHES = {
    "purpose": ("used for another purpose than agreed", "超出约定目的使用"),
    "recipient": ("passed on to somebody who is not agreed", "提供给约定以外的接收方"),
    "re-identification": ("somebody tried to find out who a person is", "尝试重新识别个人"),
    "not-deleted": ("not deleted in time", "未按期删除"),
    "not-published": ("results not published in time", "未按期公布结果"),
    "not-paid": ("not paid", "未付款"),
    "not-delivered": ("the data or the service was not provided as agreed", "未按约定提供数据或服务"),
    "security-incident": ("a security incident at the other party", "对方发生安全事件"),
    "other": ("another duty was not carried out", "其他违约"),
}
"""What may be said to be broken, in English and Chinese; a closed list."""

NOTICE_CHARACTERS = Limit("words of a notice", 4_000, "characters")


class BreachNotice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``by`` says that ``against`` broke ``agreement``: ``what`` of ``BREACHES``, in ``words``.

    ``answer_by``: until when an answer is asked for. With ``notice`` it is the answer to that notice (its digest).
    """

    agreement: str
    by: str
    against: str
    what: str
    words: str
    made: Instant
    answer_by: Instant = 0
    notice: str = ""
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: what the log names."""
        return canonical_digest(self)


def check_notice(notice: BreachNotice) -> Verdict:
    """Whether a notice or an answer is well formed, with every reason why not."""
    reasons = []
    if not is_digest(notice.agreement) or (notice.notice and not is_digest(notice.notice)):
        reasons.append(_reason("Agreement and notice are named by their digests.", "Name them."))
    if not is_did(notice.by) or not is_did(notice.against) or notice.by == notice.against:
        reasons.append(_reason("A notice is by one party against the other.", "Name both DIDs."))
    if notice.what not in BREACHES:
        reasons.append(_reason(f"'{notice.what[:40]}' is not on the list.", f"Use one of {', '.join(BREACHES)}."))
    if not notice.words.strip() or len(notice.words) > NOTICE_CHARACTERS.value:
        reasons.append(_reason(f"A notice has 1 to {NOTICE_CHARACTERS.value} characters.", "Say what happened."))
    if notice.answer_by and notice.answer_by <= notice.made:
        reasons.append(_reason("An answer is asked for after the notice.", "Set the date."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def _reason(words: str, remedy: str) -> Reason:
    return Reason("contract.bad_notice", words, remedy)
