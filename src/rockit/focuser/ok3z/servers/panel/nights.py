"""What the history says of one night, for the page: from noon to noon, UTC."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, Callable

from aiohttp import web

from ...driver.planning import mm_from_steps
from ...service import history_reports
from ...service.focuser import Focuser
from ...service.history_reports import MOVING_KINDS, Motion
from ..http.framing import RefusedError
from ..http.rate_limit import Rates
from .pages import HEADERS
from .view import sentence

NOON_H = 12
NIGHT = timedelta(days=1)
# How long a page waits for the disk of the history, in seconds.
PATIENCE_S = 1.0
# How often one machine may ask: a page asks when it is opened, when another night is chosen, and after each move.
BURST, PER_S = 20.0, 2.0
KINDS = {
    "homing": "Homing",
    "audit": "Audit",
    "stop": "Stop",
    "gap": "No link",
    "lost": "Position lost",
    "clock": "Clock set",
    "hold": "Held",
    "reference": "Focus good",
    "shadow": "Would move",
    "term": "Term",
    "start": "focusd began",
    "end": "focusd ended",
}


class Nights:
    """Answers for the nights that are kept.

    Args:
        focuser: the service.
        may_control: whether the machine at an address may control: it reads who asked.
        now_s: a monotonic clock, in seconds.
        utc_now: the time of day.
    """

    def __init__(
        self,
        focuser: Focuser,
        may_control: Callable[[str], bool],
        now_s: Callable[[], float],
        utc_now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._focuser = focuser
        self._may_control = may_control
        self._now_s = now_s
        self._utc_now = utc_now
        self._rates = Rates(BURST, PER_S)

    async def night(self, request: web.Request) -> web.Response:
        """GET ?day=2026-11-22: what the page shows of the night that began on that day; of this one without."""
        may_control = self._may_control(request.remote or "")
        noon, told = await self._told(request, partial(_night, may_control=may_control))
        values: dict[str, Any] = {
            "day": f"{noon:%Y-%m-%d}",
            "from_s": noon.timestamp(),
            "to_s": (noon + NIGHT).timestamp(),
            "good": await self._good() if may_control else None,
        }
        return web.Response(
            text=f"{json.dumps(values)[:-1]}, {told}", content_type="application/json", headers=HEADERS
        )

    async def csv(self, request: web.Request) -> web.Response:
        """The same as a file, with all that is known."""
        may_control = self._may_control(request.remote or "")
        noon, told = await self._told(request, partial(_csv, may_control=may_control))
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="focuser-{noon:%Y-%m-%d}.csv"'}
        return web.Response(text=told, content_type="text/csv", headers=headers)

    async def _told(
        self, request: web.Request, tell: Callable[[Sequence[Motion]], str]
    ) -> tuple[datetime, str]:
        if not self._rates.allows(request.remote or "", self._now_s()):
            raise RefusedError(429, "This machine asks for the history too often. Wait a few seconds.")
        noon = self._noon(request.query.get("day", ""))
        until = noon + NIGHT
        most = history_reports.MOST_ROWS
        asked = self._focuser.ask_rows(noon.timestamp(), until.timestamp(), most, tell)
        return noon, await _answer(asked)

    def _noon(self, day: str) -> datetime:
        if not day:
            noon = self._utc_now().replace(hour=NOON_H, minute=0, second=0, microsecond=0)
            return noon if self._utc_now() >= noon else noon - NIGHT
        try:
            return datetime.strptime(day, "%Y-%m-%d").replace(hour=NOON_H, tzinfo=timezone.utc)
        except ValueError:
            raise RefusedError(400, "The day is written so: 2026-11-22.") from None

    async def _good(self) -> dict[str, Any] | None:
        good = await _answer(self._focuser.ask_good())
        if good is None:
            return None
        position_mm = round(mm_from_steps(good.steps), 4)
        return {
            "position_mm": position_mm,
            "words": f"{position_mm:.3f} mm, where it stood from {_clock(good.since_s)} to {_clock(good.until_s)} UTC",
        }


async def _answer(asked: Future[Any]) -> Any:
    try:
        return await asyncio.wait_for(asyncio.wrap_future(asked), PATIENCE_S)
    except (asyncio.TimeoutError, OSError) as error:
        raise RefusedError(503, sentence(str(error)) or "The disk of the history does not answer.") from None


# On the thread of the history, for they take long


def _night(rows: Sequence[Motion], may_control: bool) -> str:
    """The rest of a JSON object."""
    # The temperature itself is for those who compute.
    shown = [_shown(row, may_control) for row in reversed(rows) if row.kind != "temperature"]
    return json.dumps({"rows": shown, "points": _points(rows)})[1:]


def _csv(rows: Sequence[Motion], may_control: bool) -> str:
    file = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        values = history_reports.row(row, may_control)
        if writer is None:
            writer = csv.DictWriter(file, list(values))
            writer.writeheader()
        writer.writerow(values)
    return file.getvalue()


def _shown(row: Motion, may_control: bool) -> dict[str, Any]:
    values = history_reports.row(row, may_control)
    moves = row.kind in ("move", "hand")
    what = f"{_mm(values['from_mm'])} → {_mm(values['to_mm'])}" if moves else KINDS[row.kind]
    by = "at the controller" if row.kind == "hand" else values.get("address", "")
    return {
        "at": history_reports.utc(row.begin)[:19].replace("T", " ") + " UTC",
        "what": what,
        "result": row.result if row.kind in MOVING_KINDS else "",
        "words": "homed" if row.kind == "homing" and row.result == "arrived" else row.result,
        "reason": sentence(values["sentence"]),
        "by": " ".join(filter(None, (by, f"({values['door']})" if values.get("door") else ""))),
        "why": row.why,
    }


def _points(rows: Sequence[Motion]) -> list[tuple[float, float | None]]:
    """Where it was: the ends of each motion, and nothing where that is not known."""
    points: list[tuple[float, float | None]] = []
    for row in rows:
        if row.kind in MOVING_KINDS and row.end is not None:
            points.append((row.begin.utc_s, _rounded(row.from_steps)))
            points.append((row.end.utc_s, _rounded(row.to_steps)))
        elif row.kind in ("gap", "lost", "start"):
            points.append((row.begin.utc_s, None))
    return sorted(points, key=lambda point: point[0])


def _rounded(steps: int | None) -> float | None:
    return None if steps is None else round(mm_from_steps(steps), 4)


def _mm(value_mm: float | None) -> str:
    return "?" if value_mm is None else f"{value_mm:.3f}"


def _clock(utc_s: float) -> str:
    return datetime.fromtimestamp(utc_s, timezone.utc).strftime("%H:%M")
