"""Addresses that are compared as addresses, however they are written."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection


class Addresses:
    """Some addresses. A machine that comes by IPv6 with a mapped address has that IPv4 address.

    Args:
        texts: the addresses; what is none matches nobody.
    """

    def __init__(self, texts: Collection[str]) -> None:
        self._addresses = frozenset(_address(text) for text in texts) - {None}

    def __contains__(self, host: str) -> bool:
        return _address(host) in self._addresses


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
