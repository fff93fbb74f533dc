"""The Alpaca port: the focuser over HTTP, for astronomy programs and for browsers."""
