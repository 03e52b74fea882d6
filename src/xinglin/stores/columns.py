"""Columns as the stores declare them; none may be NULL: what is not there yet is empty, 0 or -1.

``key``: the column is (part of) the primary key. ``options`` are those of SQLAlchemy's ``Column``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String


def words(name: str, *, key: bool = False, **options: Any) -> Column[str]:
    """Text of any length."""
    return Column(name, String(), primary_key=key, nullable=False, **options)


def number(name: str, *, key: bool = False, **options: Any) -> Column[int]:
    """A whole number of 64 bits, or an instant (ms); as a key it is the writer's to give."""
    return Column(name, BigInteger(), primary_key=key, autoincrement=False, nullable=False, **options)


def octets(name: str, *, key: bool = False, **options: Any) -> Column[bytes]:
    """Bytes as they are."""
    return Column(name, LargeBinary(), primary_key=key, nullable=False, **options)


def counter(name: str) -> Column[int]:
    """A key that the database gives: 1, 2, 3, …"""
    # SQLite counts in an INTEGER PRIMARY KEY alone.
    return Column(name, BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
