"""Who may open the page: whoever has the token, under the address that it was given out for."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

TOKEN_KEY = "token"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_token() -> str:
    """A token that cannot be guessed: 192 bits."""
    return secrets.token_urlsafe(24)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host."""
    return host in _LOOPBACK


def build_guard(token: str, host: str) -> Middleware:
    """Refuses every request, static files and the websocket too, that does not show the token.

    The page's own address shows it once; a cookie, which no other site can send along, shows it
    from then on. On loopback the Host header has to name loopback: a name of somebody else's that
    points here (DNS rebinding) is refused.
    """

    # cookies know no ports: two servers on one machine keep theirs apart by name
    cookie = f"lorawiz-{hashlib.sha256(token.encode()).hexdigest()[:12]}"

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_loopback(host) and _name_of(request.host) not in _LOOPBACK:
            raise web.HTTPForbidden(text="this page is for the machine itself\n")
        if _is_from_elsewhere(request):
            raise web.HTTPForbidden(text="another site asked for this\n")
        shown = request.query.get(TOKEN_KEY, "")
        if shown and _is_same(shown, token) and request.path == "/":
            # from here on the cookie shows it, and the address bar does not
            response = web.HTTPFound("/")
            response.set_cookie(cookie, token, httponly=True, samesite="Strict", path="/")
            raise response
        if not _is_same(request.cookies.get(cookie, ""), token):
            raise web.HTTPForbidden(text="open the address that lorawiz serve printed\n")
        return await handler(request)

    return guard


def _is_same(shown: str, token: str) -> bool:
    return secrets.compare_digest(shown.encode("utf-8", "replace"), token.encode())


def _name_of(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""


def _is_from_elsewhere(request: web.Request) -> bool:
    """Whether a script of another site opens the websocket."""
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host
