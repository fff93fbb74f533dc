"""How often strangers may ask: so many a second for each address, and for all of them together. Pure."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

# For each address: as much at once, and so many a second after that. A program that shows a focuser asks five times
# a second, an open panel once.
BURST = 200.0
PER_S = 50.0
# For all strangers together.
BURST_OF_ALL = 1000.0
PER_S_OF_ALL = 500.0
MAX_ADDRESSES = 1000
# Whoever has an IPv6 address has all of such a network.
IPV6_NETWORK_BITS = 64


class _Bucket:
    def __init__(self, burst: float, per_s: float, now_s: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._left, self._at_s = burst, now_s

    def take(self, now_s: float) -> bool:
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Rates:
    """Counts the requests of strangers. A thousand addresses are known at a time."""

    def __init__(self, burst: float = BURST, per_s: float = PER_S) -> None:
        self._burst, self._per_s = burst, per_s
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._all: _Bucket | None = None

    def __len__(self) -> int:
        return len(self._buckets)

    def allows(self, address: str, now_s: float) -> bool:
        """Whether one more request of an address is answered now."""
        key = network_of(address)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._burst, self._per_s, now_s)
            if len(self._buckets) > MAX_ADDRESSES:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        if self._all is None:
            self._all = _Bucket(BURST_OF_ALL, PER_S_OF_ALL, now_s)
        return bucket.take(now_s) and self._all.take(now_s)


def network_of(address: str) -> str:
    """What counts as one address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, ipaddress.IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), IPV6_NETWORK_BITS), strict=False))
