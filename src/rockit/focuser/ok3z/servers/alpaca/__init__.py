"""The Alpaca port: the focuser over HTTP, for astronomy programs and for browsers.

An adapter on the service, as `servers.pyro` is: the same commands, limits and access rules. One thread speaks to all
connections and never waits (docs/decisions/0013-alpaca-sessions.md). Only `servers.web` and `daemon.servers` import it.
"""
