"""Who is connected: one session for each client, which is an address and the ClientID that it sends."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from ...errors import FocuserError

# Programs take a new ClientID at each start, and few say goodbye.
MAX_SESSIONS = 256
# What a client sends that does not say who it is.
NOBODY = 0


@dataclass(frozen=True)
class Client:
    """Who asks: the machine's address, and the program's ClientID (0: it did not say)."""

    address: str
    client_id: int


@dataclass
class Session:
    """What one client did.

    Args:
        connected: it asked to be connected, and was.
        connecting: it asked, and the focuser is being initialised.
        connect_failure: why that failed; told once.
        move_failure: why its last move did not arrive; told once by each member that can tell it.
        told_by: the members that have.
    """

    connected: bool = False
    connecting: bool = False
    connect_failure: FocuserError | None = None
    move_failure: FocuserError | None = None
    told_by: set[str] = field(default_factory=set)

    def move_ended(self, failure: FocuserError | None = None) -> None:
        """Its last move has ended so; or what there was to say of it is past."""
        self.move_failure = failure
        self.told_by.clear()

    def untold(self, member: str) -> FocuserError | None:
        """What a member has to tell of the last move, and from now on has told. A program may read one member in
        the background and wait for the end of its move with another: neither takes the error from the other."""
        if self.move_failure is None or member in self.told_by:
            return None
        self.told_by.add(member)
        return self.move_failure


class Sessions:
    """The sessions, at most `most`: then the one that was not used for longest makes room."""

    def __init__(self, most: int = MAX_SESSIONS) -> None:
        self._most = most
        self._sessions: OrderedDict[Client, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, client: Client) -> Session:
        """The session of a client; a new one if it has none."""
        session = self._sessions.setdefault(client, Session())
        self._sessions.move_to_end(client)
        if len(self._sessions) > self._most:
            self._sessions.popitem(last=False)
        return session

    def may_use(self, client: Client) -> bool:
        """Whether a client may use the focuser: it is connected, or does not say who it is. Scripts do neither, and
        some programs; they can be told from nobody, so that a session would tell nothing."""
        session = self.own(client)
        return client.client_id == NOBODY or (session is not None and session.connected)

    def own(self, client: Client) -> Session | None:
        """The session that this very client opened. None: it opened none, or left."""
        session = self._sessions.get(client)
        if session is not None:
            self._sessions.move_to_end(client)
        return session

    def close(self, client: Client) -> None:
        """Forget a client."""
        self._sessions.pop(client, None)
