"""The web server: textual-serve behind a token, with a page that needs nothing from outside."""

import asyncio
import errno
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from textual_serve.server import Server

from lorawiz.errors import LorawizError, visible_text
from lorawiz.paths import Project
from lorawiz.serve.guard import TOKEN_KEY, build_guard

_TEMPLATES = Path(__file__).with_name("templates")
_SHUTDOWN_S = 1.0

OnReady = Callable[[str], None]
"""Told the address once the server answers."""


class ProjectServer(Server):
    """Serves the wizard of one project; every page is a process of its own on the same files."""

    def __init__(self, project: Project, host: str, port: int, token: str) -> None:
        # textual-serve hands the command to a shell
        command = shlex.join([sys.executable, "-m", "lorawiz.tui", str(project.root)])
        super().__init__(command, host, port, title="lorawiz", templates_path=str(_TEMPLATES))
        self._token = token

    @property
    def address(self) -> str:
        """What to open, with the token."""
        return f"{self.public_url}/?{TOKEN_KEY}={self._token}"

    async def run(self, on_ready: OnReady) -> None:
        """Serve until SIGINT or SIGTERM. Raises LorawizError where the port cannot be had."""
        # a page that is open would hold the server: its program is told to end, then cut off
        runner = web.AppRunner(await self._make_app(), shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        try:
            await self._listen(runner)
            stop = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            on_ready(self.address)
            await stop.wait()
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        try:
            await web.TCPSite(runner, self.host, self.port).start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                hint = "lorawiz serve --port 0 takes a free one"
                raise LorawizError(f"port {self.port} is taken on {self.host}", hint) from error
            shown = visible_text(error.strerror or str(error))
            raise LorawizError(
                f"cannot listen on {visible_text(self.host)}, port {self.port}: {shown}",
                "lorawiz serve --host 127.0.0.1",
            ) from error
        host, port = runner.addresses[0][:2]
        shown_host = f"[{host}]" if ":" in str(host) else host
        self.public_url = f"http://{shown_host}:{port}"

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(build_guard(self._token, self.host))
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Prints nothing: the address is told by the command."""

    async def handle_index(self, request: web.Request) -> Any:
        # the page asks where it was asked: a tunnel or another name of this machine works too
        public_url, self.public_url = self.public_url, f"http://{request.host}"
        try:
            response: web.StreamResponse = await super().handle_index(request)
        finally:
            self.public_url = public_url
        response.headers["Content-Security-Policy"] = (
            "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
            "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        return response
