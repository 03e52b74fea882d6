"""Which numeric addresses of counterparties are of a local network, however they are written."""

from __future__ import annotations

import pytest

from xinglin.connector.addresses import check_address, check_reachable, is_private
from xinglin.connector.sending import HttpSender
from xinglin.wire.dsp.errors import BadMessage, Unreachable

NO_NAMES = ["a" * 64 + ".example", "a..b", ".x", "xn--", "a" * 300 + ".example"]
"""Names that no resolver takes: a library raises what is no network error for them."""


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "::1", "::", "fe80::1%eth0", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
     "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a01:203::1", "ff02::1", "fec0::1", "192.0.0.8"],
)  # fmt: skip
def test_local_addresses(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize("host", NO_NAMES)
async def test_a_name_that_none_can_have_is_refused_where_it_is_read_and_is_nobody_where_it_is_called(
    host: str,
) -> None:
    with pytest.raises(BadMessage):
        check_address(f"https://{host}/callback")
    sender = HttpSender.fresh()
    with pytest.raises(Unreachable):  # as with a did:web, whose address is not read but made
        await sender.get(f"https://{host}/.well-known/did.json", "")
    with pytest.raises(Unreachable):
        await check_reachable(f"https://{host}/x", plain_http=False, private=False)
    await sender.close()


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"])
def test_addresses_of_the_world(host: str) -> None:
    assert not is_private(host)
