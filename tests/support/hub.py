"""A model hub on the loopback: the few answers that huggingface_hub asks for."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """A hub with one model."""

    def __init__(self, repo: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.repo = repo
        paths = (path for path in folder.rglob("*") if path.is_file())
        self.files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


class HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        about, resolve = f"/api/models/{self.server.repo}", f"/{self.server.repo}/resolve/"
        name = path.removeprefix(resolve).partition("/")[2]
        if path.startswith(f"{about}/tree/"):
            self._send(json.dumps(self._tree()).encode(), {}, with_body)
        elif path.startswith(about):
            self._send(json.dumps(self._info()).encode(), {}, with_body)
        elif path.startswith(resolve) and name in self.server.files:
            body = self.server.files[name]
            headers = {"ETag": f'"{_digest(body)}"', "X-Repo-Commit": COMMIT}
            self._send(body, headers, with_body)
        else:
            self.send_error(404)

    def _info(self) -> dict[str, object]:
        siblings = [
            {"rfilename": name, "size": len(body), "blobId": _digest(body)}
            for name, body in self.server.files.items()
        ]
        return {"id": self.server.repo, "sha": COMMIT, "siblings": siblings, "tags": []}

    def _tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": name, "size": len(body), "oid": _digest(body)}
            for name, body in self.server.files.items()
        ]

    def _send(self, body: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(200)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests' output is for tests."""


@contextmanager
def serve_hub(repo: str, folder: Path) -> Iterator[str]:
    """The address of a hub that has the files of `folder` as the model `repo`."""
    server = Hub(repo, folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _digest(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()
