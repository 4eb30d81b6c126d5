"""`lorawiz serve` for real: the printed address in a headless browser, and who is kept out."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from lorawiz.paths import Project
from tests.support.browser import Page, open_page
from tests.support.projects import make_project

pytestmark = pytest.mark.slow

_DEADLINE_S = 60.0


@contextmanager
def serve(project: Project) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a server that ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lorawiz", "-C", str(project.root), "serve", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "LORAWIZ_LANG": "en"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        process.stdout.close()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "a folder; with 'quotes'")


async def wait_for(page: Page, text: str) -> None:
    """Until the terminal in the page shows `text`."""
    deadline = asyncio.get_running_loop().time() + _DEADLINE_S
    shown = ""
    while asyncio.get_running_loop().time() < deadline:
        shown = await read_screen(page)
        if text in shown:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{text!r} is not in:\n{shown}")


async def read_screen(page: Page) -> str:
    """The text in the page's terminal, as it came over its websocket."""
    told = await page.run_script("window.__told ? window.__told.join('') : ''")
    return str(told)


_LISTEN = """
window.__told = [];
const Real = window.WebSocket;
window.WebSocket = function(...given) {
  const socket = new Real(...given);
  const decoder = new TextDecoder();
  socket.addEventListener('message', async event => {
    const data = event.data;
    if (data instanceof Blob) window.__told.push(decoder.decode(await data.arrayBuffer()));
    else if (data instanceof ArrayBuffer) window.__told.push(decoder.decode(data));
  });
  return socket;
};
window.WebSocket.prototype = Real.prototype;
"""


def test_the_printed_address_shows_the_wizard_and_takes_keys(project: Project) -> None:
    async def look(address: str) -> list[str]:
        async with open_page() as page:
            await page.call("Page.addScriptToEvaluateOnNewDocument", source=_LISTEN)
            await page.call("Page.navigate", url=address)
            await wait_for(page, "Base model")
            assert await page.run_script("document.body.classList.contains('-first-byte')")
            assert await page.run_script("location.search") == ""
            await page.run_script("document.querySelector('textarea').focus()")
            await page.press("?")
            await wait_for(page, "next step that is due")
            return page.requests

    with serve(project) as (address, _):
        requests = asyncio.run(look(address))
        hosts = {urlsplit(each).hostname for each in requests if not each.startswith("data:")}
    assert len(requests) >= 4
    assert hosts == {"127.0.0.1"}


def test_nobody_gets_in_without_the_token(project: Project) -> None:
    async def ask(address: str) -> None:
        base = address.partition("/?")[0]
        async with aiohttp.ClientSession() as client:
            for path in (
                "/",
                "/?token=wrong",
                "/?token=%FF",
                "/static/js/textual.js",
                "/ws",
                "/no",
            ):
                async with client.get(base + path, allow_redirects=False) as answer:
                    assert answer.status == 403, path
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(f"{base.replace('http', 'ws')}/ws")
            assert refused.value.status == 403
            async with client.get(address, headers={"Host": "evil.example"}) as answer:
                assert answer.status == 403

    with serve(project) as (address, _):
        asyncio.run(ask(address))


def test_the_cookie_lets_in_and_another_site_does_not_share_it(project: Project) -> None:
    async def ask(address: str) -> None:
        base = address.partition("/?")[0]
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of a bare address are kept too
        async with aiohttp.ClientSession(cookie_jar=jar) as client:
            async with client.get(address, allow_redirects=False) as answer:
                assert answer.status == 302
                kept = answer.headers["Set-Cookie"]
                assert "HttpOnly" in kept
                assert "SameSite=Strict" in kept
            async with client.get(base) as answer:
                assert answer.status == 200
                assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
                page = await answer.text()
            assert "https://" not in page
            async with client.get(
                f"{base}/ws", headers={"Origin": "http://evil.example"}
            ) as answer:
                assert answer.status == 403

    with serve(project) as (address, _):
        asyncio.run(ask(address))


def test_an_interrupt_ends_the_server_and_its_page(project: Project) -> None:
    async def open_socket(address: str, process: subprocess.Popen[str]) -> None:
        base = address.partition("/?")[0]
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as client:
            await client.get(address)
            async with client.ws_connect(f"{base.replace('http', 'ws')}/ws") as socket:
                await socket.receive(timeout=_DEADLINE_S)
                children = _children_of(process.pid)
                assert children
                process.send_signal(signal.SIGINT)
                await asyncio.to_thread(process.wait, 30)
                deadline = asyncio.get_running_loop().time() + 20
                while any(_is_alive(pid) for pid in children):
                    assert asyncio.get_running_loop().time() < deadline
                    await asyncio.sleep(0.1)

    with serve(project) as (address, process):
        asyncio.run(open_socket(address, process))
    assert process.returncode == 0


def test_a_taken_port_and_a_strange_host_are_told(project: Project) -> None:
    with serve(project) as (address, _):
        port = str(urlsplit(address).port)
        taken = _try_to_serve(project, "--port", port)
    strange = _try_to_serve(project, "--host", "no.such.host.invalid", "--port", "0")
    assert taken.returncode == strange.returncode == 2
    assert f"port {port} is taken on 127.0.0.1" in taken.stderr
    assert "lorawiz serve --port 0" in taken.stderr
    assert "cannot listen on no.such.host.invalid" in strange.stderr
    assert "reached from other machines" in strange.stderr


def _try_to_serve(project: Project, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lorawiz", "-C", str(project.root), "serve", *options],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _children_of(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _is_alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
