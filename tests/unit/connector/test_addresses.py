"""Which numeric addresses of counterparties are of a local network, however they are written."""

from __future__ import annotations

import pytest

from xinglin.connector.addresses import is_private


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "::1", "::", "fe80::1%eth0", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
     "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a01:203::1", "ff02::1"],
)  # fmt: skip
def test_local_addresses(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"])
def test_addresses_of_the_world(host: str) -> None:
    assert not is_private(host)
