"""Titles of studies, kept in the account's folder: a study's id follows from its title, and not the other way round."""

from __future__ import annotations

import json

from xinglin.sdk.account import Account
from xinglin.stores.tls import write_private

_FILE = "titles.json"


def titles(account: Account) -> dict[str, str]:
    """Study id to title, of studies that this account proposed or opened here."""
    file = account.folder / _FILE
    return (
        {str(study): str(title) for study, title in json.loads(file.read_text("utf-8")).items()}
        if file.exists()
        else {}
    )


def keep_title(account: Account, study: str, title: str) -> None:
    """Remember the title of a study; the same again changes nothing."""
    known = titles(account)
    if known.get(study) != title:
        write_private(account.folder / _FILE, json.dumps(known | {study: title}, ensure_ascii=False).encode())
