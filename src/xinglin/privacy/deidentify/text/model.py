"""Values: spans, their kinds, and what is known of the person a text is about."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "name",
    "identity_number",
    "phone",
    "address",
    "record_number",
    "insurance_number",
    "bank_card",
    "email",
    "url",
    "account",
    "plate",
    "passport",
    "date",
    "age",
    "organisation",
    "number",
]
KINDS: dict[str, str] = {
    "name": "姓名",
    "identity_number": "身份证号",
    "phone": "电话",
    "address": "地址",
    "record_number": "病历号",
    "insurance_number": "医保号",
    "bank_card": "银行卡",
    "email": "邮箱",
    "url": "网址",
    "account": "账号",
    "plate": "车牌",
    "passport": "证件号",
    "date": "日期",
    "age": "年龄",
    "organisation": "机构",
    "number": "号码",
}
"""Kinds in English and Chinese. ``age``: above 89 years. ``number``: a long one of no known kind."""


class Span(msgspec.Struct, frozen=True, order=True, gc=False):
    """From ``start`` to ``end``; ``why``: ``known``, ``checksum``, ``form``, ``label``, ``context`` or ``model``."""

    start: int
    end: int
    kind: str
    why: str


class Known(msgspec.Struct, frozen=True):
    """The dictionary from the patient's own record; every field may be empty.

    ``names``: of the patient and relatives, as written (``张三``, ``John Smith``, ``Zhang San``). ``dates``: ISO.
    ``staff``: names of those who treat. Its representation shows no value.
    """

    names: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    staff: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Known({len(self.names)} names)"


NOTHING = Known()
