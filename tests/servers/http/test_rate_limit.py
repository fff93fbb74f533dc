"""How often an address may ask, and how many addresses are remembered."""

from __future__ import annotations

from rockit.focuser.ok3z.servers.http import rate_limit
from rockit.focuser.ok3z.servers.http.rate_limit import Rates
from rockit.focuser.ok3z.servers.net.addresses import network_of


def test_an_address_may_ask_so_often_at_once_and_then_so_often_a_second() -> None:
    limited = Rates(burst=3, per_s=2)
    assert [limited.allows("10.0.0.1", 100.0) for _ in range(5)] == [True] * 3 + [False] * 2
    assert [limited.allows("10.0.0.1", 101.0) for _ in range(3)] == [True] * 2 + [False]
    assert limited.allows("10.0.0.2", 101.0)


def test_all_addresses_together_are_limited_and_so_many_are_known() -> None:
    limited = Rates(burst=3, per_s=2)
    most = 3 * rate_limit.MAX_ADDRESSES
    assert (
        sum(limited.allows(f"10.0.{n // 256}.{n % 256}", 100.0) for n in range(most))
        == rate_limit.BURST_OF_ALL
    )
    assert len(limited) == rate_limit.MAX_ADDRESSES


def test_a_network_of_ipv6_is_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:10.0.0.1") == "10.0.0.1"
