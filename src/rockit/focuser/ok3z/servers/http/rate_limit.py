"""How often strangers may ask: so many a second for each address, and for all of them together. Pure."""

from __future__ import annotations

from collections import OrderedDict

from ..net.addresses import network_of
from ..net.allowance import Allowance

# For each address: as much at once, and so many a second after that. A program that shows a focuser asks five times
# a second, an open panel once.
BURST = 200.0
PER_S = 50.0
# For all strangers together.
BURST_OF_ALL = 1000.0
PER_S_OF_ALL = 500.0
MAX_ADDRESSES = 1000


class Rates:
    """Counts the requests of strangers. A thousand addresses are known at a time."""

    def __init__(self, burst: float = BURST, per_s: float = PER_S) -> None:
        self._burst, self._per_s = burst, per_s
        self._buckets: OrderedDict[str, Allowance] = OrderedDict()
        self._all = Allowance(BURST_OF_ALL, PER_S_OF_ALL)

    def __len__(self) -> int:
        return len(self._buckets)

    def allows(self, address: str, now_s: float) -> bool:
        """Whether one more request of an address is answered now."""
        key = network_of(address)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Allowance(self._burst, self._per_s)
            if len(self._buckets) > MAX_ADDRESSES:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket.take(now_s) and self._all.take(now_s)
