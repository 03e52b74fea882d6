"""What makes bytes no HL7 v2 message; none of the words quotes the message."""

from __future__ import annotations

from xinglin.records.errors import Unreadable

# Stable codes with what happened and what to do about it.
_WORDS = {
    "hl7v2.empty": ("The message is empty.", "Look whether the sender lost what it meant to send."),
    "hl7v2.no_header": (
        "The message does not begin with MSH.",
        "Look for bytes before the header or for damaged framing.",
    ),
    "hl7v2.batch": ("This is a batch file, not a message.", "Split it with split_batch."),
    "hl7v2.batch_count": ("A trailer counts otherwise.", "Every message was read; ask the sender what is missing."),
    "hl7v2.batch_truncated": ("A batch has no trailer.", "Every message was read; the file may have been cut."),
    "hl7v2.no_answer": ("This is no acknowledgement.", "Look whether another kind of system answers at that address."),
    "hl7v2.several_messages": ("There is more than one MSH.", "Split it with split_batch."),
    "hl7v2.header_short": ("The header ends before its separators.", "The message was cut; send it again."),
    "hl7v2.separators": ("MSH-1 and MSH-2 do not name usable separators.", "MSH should begin with MSH|^~\\& or alike."),
    "hl7v2.too_long": (
        "The message is longer than the limit.",
        "Send large documents by reference, or raise the limit.",
    ),
    "hl7v2.too_many_segments": ("The message has more segments than the limit.", "Send it in parts."),
}


class BadMessage(Unreadable):
    """Bytes that are no HL7 v2 message: ``code`` says why, ``place`` where (``MSH-2``)."""

    def __init__(self, code: str, place: str = "MSH", why: str = "") -> None:
        what, remedy = _WORDS[code]
        super().__init__(what, place=place, why=why, remedy=remedy)
        self.code = code
