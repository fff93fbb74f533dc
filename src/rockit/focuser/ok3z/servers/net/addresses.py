"""Addresses of clients, compared as addresses however they are written."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

_LOOPBACK = ipaddress.IPv4Address("127.0.0.1")
_LOOPBACK_IPV6 = ipaddress.IPv6Address("::1")
# Whoever has an IPv6 address has all of such a network.
IPV6_NETWORK_BITS = 64


def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a text is; None if it is none. A machine that comes by IPv6 with a mapped address has that IPv4
    address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    # The phone book knows IPv4 addresses only: a program of this machine is the same one over either of the two.
    return _LOOPBACK if address == _LOOPBACK_IPV6 else address.ipv4_mapped or address


def network_of(text: str) -> str:
    """What counts as one client: an address, or its network if that is of IPv6. What is no address counts as itself."""
    address = address_of(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address), IPV6_NETWORK_BITS), strict=False))
    return text if address is None else str(address)


class Addresses:
    """Some addresses.

    Args:
        texts: the addresses; what is none matches nobody.
    """

    def __init__(self, texts: Collection[str]) -> None:
        self._addresses = frozenset(map(address_of, texts)) - {None}

    def __contains__(self, host: str) -> bool:
        return address_of(host) in self._addresses
