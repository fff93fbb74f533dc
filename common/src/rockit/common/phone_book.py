"""The phone book of this machine: what is built in, and what the site file adds.

Importing this module reads the site file, and raises `SiteError` if it cannot be used.
"""

from __future__ import annotations

from . import built_in, site_file

_site = site_file.read()

MACHINES = {**built_in.MACHINES, **_site.machines}
DAEMONS = {**built_in.DAEMONS, **_site.daemons}


class IP:
    """The observatory's machines: the attributes are their names, the values IPv4 text."""

    LocalHost: str
    NGTSDASNUC: str


for _name, _address in MACHINES.items():
    setattr(IP, _name, _address)
