"""Who may control, and which requests come from a page of another origin."""

from __future__ import annotations

import re
import socket
from collections.abc import Collection, Mapping, Sequence

from ..net.addresses import Addresses, address_of

# Of a header Host: a name or an IPv4 address, or an IPv6 address in brackets, perhaps with its zone; and a port.
_HOST = re.compile(
    r"(?P<name>[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?\])(?::[0-9]{1,5})?"
)


class Access:
    """The rules of access.

    Args:
        control_ips: the addresses from which the focuser may be controlled; everybody may look.
        host_names: names, beside `localhost`, by which this server may be called. (An address may always be used.)
        pages: the paths to which a link on a page of another site may lead.
    """

    def __init__(
        self, control_ips: Collection[str], host_names: Collection[str] = (), pages: Collection[str] = ()
    ) -> None:
        self._control_addresses = Addresses(control_ips)
        self._host_names = frozenset({"localhost"})
        self._pages = frozenset(pages)
        self.learn(host_names)

    def learn(self, host_names: Collection[str]) -> None:
        """Names by which this server may be called as well. From any thread."""
        self._host_names |= {_plain(name) for name in host_names if name}

    def may_control(self, host: str) -> bool:
        """Whether a client at an address may do more than look."""
        return host in self._control_addresses

    def why_refused(
        self,
        method: str,
        path: str,
        hosts: Sequence[str],
        origins: Sequence[str],
        headers: Mapping[str, str],
    ) -> str | None:
        """Why a request is not answered at all; None: it is.

        Args:
            method: of the request.
            path: of the request, without a query.
            hosts: the headers Host, of which there must be one.
            origins: the headers Origin, of which there may be one.
            headers: all headers, with names in any case.
        """
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            # A foreign name may be one that was pointed at this machine, for a page of that name to reach it.
            return (
                "This server is not known by that name. Call it by its IP address, by the name of its machine, or by "
                "one that the site file adds."
            )
        if origins and [origin.lower() for origin in origins] != [f"http://{hosts[0]}".lower()]:
            return "The request comes from a page of another origin."
        is_own = headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")
        if not is_own and not self._follows_a_link(method, path, headers):
            # Reads too: a page of another site could keep all streams of a browser's machine for itself.
            return "The request comes from a page of another site."
        return None

    def _follows_a_link(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Whether somebody comes to a page, in a tab of its own."""
        goes_there = (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")) == (
            "navigate",
            "document",
        )
        return goes_there and method == "GET" and path in self._pages

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if not match:
            return False
        name = match["name"]
        return address_of(name.strip("[]")) is not None or _plain(name) in self._host_names


def own_names() -> set[str]:
    """The names of this machine: short, full, and that of multicast DNS, which nobody outside the network can point
    elsewhere. May wait for a name server."""
    name = socket.gethostname()
    short = name.partition(".")[0]
    return {name, short, f"{short}.local", socket.getfqdn(), *_canonical_names(name)}


def _canonical_names(name: str) -> set[str]:
    # What `hostname --fqdn` says. getfqdn() asks which name the address has, and that may be another one, or none.
    try:
        found = socket.getaddrinfo(name, None, flags=socket.AI_CANONNAME)
    except OSError:
        return set()
    return {canonical for _, _, _, canonical, _ in found if canonical}


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
