"""The registered daemons. Every public name of this module is one, and a site file adds its own.

Each has `.name` (the Pyro object), `.host`, `.port`, `.uri`, `.connect()` and `.launch()`.
"""

# No `from __future__` here: it would be a public name that is no daemon.
from . import phone_book as _phone_book
from .registered_daemon import RegisteredDaemon as _RegisteredDaemon

localhost_test: _RegisteredDaemon
localhost_test2: _RegisteredDaemon
localhost_test3: _RegisteredDaemon
localhost_test4: _RegisteredDaemon
localhost_test5: _RegisteredDaemon
ngts_m06_focuser: _RegisteredDaemon

globals().update(_phone_book.DAEMONS)
