"""The page and its parts, read once at the start, and the headers of everything that the panel answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

_STATIC = Path(__file__).with_name("static")
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_CONTROLS_MARK, _STOP_MARK = "<!-- controls -->\n", "<!-- stop -->\n"

# Nothing from elsewhere, nothing inline, in no frame, and no text that becomes HTML.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Pages:
    """The page, with controls for who may control and without for others, and what it is made of."""

    def __init__(self) -> None:
        page = _text("page.html")
        controls, stop_bar = _text("controls.html"), _text("stop_bar.html")
        self._with_controls = page.replace(_CONTROLS_MARK, controls).replace(_STOP_MARK, stop_bar)
        self._without = page.replace(_CONTROLS_MARK, _text("no_controls.html")).replace(_STOP_MARK, "")
        self._parts = {path.name: path for path in sorted(_STATIC.iterdir()) if path.suffix in _TYPES}
        self._bodies = {name: path.read_bytes() for name, path in self._parts.items()}

    def page(self, controls: bool) -> web.Response:
        """The page."""
        text = self._with_controls if controls else self._without
        return web.Response(text=text, content_type="text/html", headers=HEADERS)

    def part(self, name: str) -> web.Response:
        """A script, the style sheet or the picture of that name."""
        if name not in self._parts:
            return refused(404, "There is no such page.")
        kind = _TYPES[self._parts[name].suffix]
        return web.Response(body=self._bodies[name], content_type=kind, charset="utf-8", headers=HEADERS)


def answered(values: Mapping[str, Any]) -> web.Response:
    """The answer to a command that was understood."""
    return web.json_response(values, headers=HEADERS)


def refused(status: int, message: str) -> web.Response:
    """The answer to what was not."""
    values = {"done": False, "code": "refused", "message": message}
    return web.json_response(values, status=status, headers=HEADERS)


def _text(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")
