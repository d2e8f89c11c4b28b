"""Networks by which clients are counted."""

import pytest

from jobindex.addresses import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:a00:1", "10.0.0.1"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("2001:DB8:0:0::5", "2001:db8::/64"),
        ("2001:db8:0:1::5", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("fe80::2%eth1", "fe80::/64"),
        ("::1", "::/64"),
        ("a:b", "a:b"),
        ("::1/64", "::1/64"),
        ("10.0.0.1:80:80", "10.0.0.1:80:80"),
        ("%", "%"),
        ("", ""),
        ("unknown" * 100, ("unknown" * 100)[:64]),
        (":" * 100, ":" * 64),
    ],
)
def test_a_client_is_counted_by_its_network(address: str, network: str) -> None:
    """An IPv4 address counts as itself, an IPv6 address as its /64 network, and any other text as itself."""
    assert network == network_of(address)
