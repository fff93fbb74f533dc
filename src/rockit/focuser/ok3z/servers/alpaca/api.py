"""Which request goes to which member, and in what it is answered: the paths `/api/` and `/management/`."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from typing import Any, Callable

from aiohttp import web

from ...errors import FocuserError, InternalError, NotPermittedError
from ...service import outcomes
from ..http.access import Access
from ..http.framing import RefusedError
from ..http.handler import body_of, plain
from .device import Device, Valued
from .parameters import BadRequestError, Parameters, from_form, from_query
from .responses import TransactionCounter, answer, encoded
from .sessions import Client

_log = logging.getLogger(__name__)

DEVICE_PATH = "v1/focuser/0/"


class Api:
    """Answers Alpaca requests.

    Args:
        device: the focuser.
        management: what is answered about the server, by path.
        access: who may control.
        count_refusal: is told of each command of a machine that may not control, in a phrase for the log.
    """

    def __init__(
        self,
        device: Device,
        management: Mapping[str, object],
        access: Access,
        count_refusal: Callable[[str], None],
    ) -> None:
        self._device = device
        self._management = management
        self._access = access
        self._count_refusal = count_refusal
        self._transactions = TransactionCounter()

    def routes(self) -> list[web.RouteDef]:
        """The addresses of the API."""
        return [
            web.route("*", "/api/{rest:.*}", self._api),
            web.route("*", "/management/{rest:.*}", self._manage),
        ]

    async def _manage(self, request: web.Request) -> web.Response:
        path = request.match_info["rest"]
        if path not in self._management:
            return plain(404, "There is nothing at this address.")
        if request.method != "GET":
            return _wrong_verb(["GET"])
        try:
            _, transaction = _ids(from_query(request.rel_url.raw_query_string), request)
        except BadRequestError as error:
            return plain(400, str(error))
        return self._answer(transaction, value=self._management[path])

    async def _api(self, request: web.Request) -> web.Response:
        path = request.match_info["rest"]
        member = path[len(DEVICE_PATH) :]
        verbs = self._verbs(member)
        if not path.startswith(DEVICE_PATH) or not verbs:
            return plain(404, "There is no such device, or it has no such member.")
        if request.method not in verbs:
            return _wrong_verb(verbs)
        try:
            if request.method == "GET":
                return self._read(request, member)
            return await self._command(request, member)
        except RefusedError as refused:
            return plain(refused.status, str(refused))

    def _verbs(self, member: str) -> list[str]:
        readable, commanded = member in self._device.properties, member in self._device.commands
        return ["GET"] * readable + ["PUT"] * commanded

    def _read(self, request: web.Request, member: str) -> web.Response:
        parameters = from_query(request.rel_url.raw_query_string)
        client, transaction = _ids(parameters, request)
        wanted = self._device.properties[member]
        try:
            return self._answer(transaction, value=wanted.read(client))
        except FocuserError as error:
            return self._answer(transaction, error, wanted.value_beside_error())
        except Exception as error:
            return self._answer(transaction, _mistake(member, client, error), wanted.value_beside_error())

    async def _command(self, request: web.Request, member: str) -> web.Response:
        address = request.remote or ""
        if not self._access.may_control(address):
            return await self._not_permitted(request, member, address)
        began_s = time.monotonic()
        # Before anything is read that can be wrong with the rest of the request.
        begun = self._device.commands[member](address)
        asked = f"Alpaca {member}, asked by {address}"
        try:
            client, transaction, parameters = await _understood(request)
        except RefusedError as refused:
            answer = " ".join(filter(None, (await begun.in_vain(), str(refused))))
            _log.info("%s: %s", asked, answer)
            raise RefusedError(refused.status, answer) from None
        try:
            ended = await begun.run(client, parameters)
        except BadRequestError as error:
            _log.info("%s: %s", asked, error)
            raise
        except FocuserError as error:
            _log.info("%s: %s", asked, error)
            return self._answer(transaction, error)
        except Exception as error:
            return self._answer(transaction, _mistake(member, client, error))
        how, value = (ended.how, ended.value) if isinstance(ended, Valued) else (ended, None)
        _log.info("%s: %s", asked, outcomes.succeeded(how, time.monotonic() - began_s))
        return self._answer(transaction, value=value)

    async def _not_permitted(self, request: web.Request, member: str, address: str) -> web.Response:
        _, transaction, _ = await _understood(request)
        self._count_refusal(f"{member} refused: {address} is not among control_machines")
        why = f"{address} may not control this focuser: it is not among control_machines."
        return self._answer(transaction, NotPermittedError(why))

    def _answer(
        self, transaction_id: int, error: FocuserError | None = None, value: object = None
    ) -> web.Response:
        body: dict[str, Any] = answer(transaction_id, self._transactions.next(), error)
        if value is not None:
            body["Value"] = value
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=encoded(body), content_type="application/json", headers=headers)


def _ids(parameters: Parameters, request: web.Request) -> tuple[Client, int]:
    """Who asks, and the number that goes back."""
    client = Client(request.remote or "", parameters.uint32("ClientID"))
    return client, parameters.uint32("ClientTransactionID")


async def _understood(request: web.Request) -> tuple[Client, int, Parameters]:
    """What a command says: who asks, the number that goes back, and the rest. Raises RefusedError."""
    parameters = from_form(request.headers.get("Content-Type", ""), await body_of(request))
    return (*_ids(parameters, request), parameters)


def _mistake(member: str, client: Client, error: Exception) -> InternalError:
    _log.error("a mistake in this program, in %s asked by %s", member, client.address, exc_info=error)
    return InternalError(f"the daemon made a mistake ({type(error).__name__}); its log has the details.")


def _wrong_verb(verbs: Collection[str]) -> web.Response:
    response = plain(405, f"This is only for {' and '.join(verbs)}.")
    response.headers["Allow"] = ", ".join(verbs)
    return response
