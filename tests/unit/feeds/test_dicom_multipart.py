"""``multipart/related``: the same parts however the bytes are cut; faults by name."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.feeds.dicom_multipart import HEADER_BYTES, BadMultipart, parameters, parts, written


async def chunks(message: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(message), size):
        yield message[at : at + size]


async def parsed(message: bytes, boundary: str, size: int = 1 << 20, part_bytes: int = 1000) -> list[tuple[str, bytes]]:
    return [one async for one in parts(chunks(message, size), boundary, part_bytes)]


@given(bodies=st.lists(st.binary(max_size=80), max_size=5), size=st.integers(1, 40))
async def test_parts_come_back_however_they_are_cut(bodies: list[bytes], size: int) -> None:
    message = b"".join(written([("application/dicom", "", [body]) for body in bodies], "b0undary"))
    assert await parsed(message, "b0undary", size) == [("application/dicom", body) for body in bodies]


async def test_a_preamble_and_an_epilogue_are_passed_over() -> None:
    message = b"hello\r\n--b\r\nContent-Type: a/b\r\n\r\nbody\r\n--b--\r\nbye\r\n--b\r\n"
    assert await parsed(message, "b") == [("a/b", b"body")]


@pytest.mark.parametrize(
    "message",
    [b"", b"--b\r\n\r\nbody\r\n", b"--b\r\nno header at all\r\n--b--", b"--c\r\n\r\nx\r\n--c--"],
)
async def test_messages_that_end_early_are_refused(message: bytes) -> None:
    with pytest.raises(BadMultipart):
        await parsed(message, "b")


async def test_one_byte_more_than_a_part_may_have_is_refused() -> None:
    with pytest.raises(BadMultipart) as caught:
        await parsed(b"--b\r\n\r\n" + b"x" * (1000 + HEADER_BYTES + 1), "b", 100)
    assert caught.value.too_large


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a\r\nb"])
async def test_boundaries_are_checked(boundary: str) -> None:
    with pytest.raises(BadMultipart):
        await parsed(b"--\r\n\r\nx\r\n----", boundary)


def test_parameters_keep_semicolons_in_quotes() -> None:
    kind, found = parameters('Multipart/Related; type="application/dicom;v=1"; Boundary="a;b"')
    assert (kind, found) == ("multipart/related", {"type": "application/dicom;v=1", "boundary": "a;b"})
