"""Questions about the Pyro call that is being served."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address, IPv6Address


def pyro_client_matches(ips: Iterable[str]) -> bool:
    """True if the caller of the current Pyro call has one of `ips`.

    A caller that comes by IPv6 with a mapped address (`::ffff:10.1.2.3`) has that IPv4 address.
    False outside a Pyro call, and if the caller's address is not known. Never raises: a text
    among `ips` that is no address matches nobody.
    """
    caller = _caller_address()
    if caller is None:
        return False
    # One address given as a plain text must not be taken apart into letters.
    wanted = [ips] if isinstance(ips, str) else ips
    return any(_parse(text) == caller for text in wanted)


def _caller_address() -> IPv4Address | IPv6Address | None:
    import Pyro4

    context = Pyro4.current_context
    peer = context.client_sock_addr if context.client is not None else None
    # A Unix domain socket has no address, and says so with an empty text in the place of a tuple.
    return _parse(peer[0]) if isinstance(peer, tuple) else None


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    import ipaddress

    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
