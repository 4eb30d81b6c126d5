"""A real sshd on loopback with keys and a configuration of its own, and a way to log in."""

import getpass
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.requirements import need_program

_START_TIMEOUT_S = 20.0
_SEPARATION = Path("/run/sshd")
"""sshd refuses to start without this folder."""


@dataclass(frozen=True)
class SshServer:
    """A running sshd; `login` is the client's command up to what it runs there."""

    process: subprocess.Popen[bytes]
    login: list[str]

    def command(self, remote: str) -> str:
        """A line for a shell that runs `remote` over a connection with a terminal."""
        return shlex.join([*self.login, "-tt", remote])

    def cut_connections(self) -> int:
        """Kill what serves each connection, as a cut line does; how many there were."""
        sessions = psutil.Process(self.process.pid).children(recursive=True)
        servers = [each for each in sessions if each.name().startswith("sshd")]
        for each in servers:
            each.kill()
        return len(servers)


@contextmanager
def serve_ssh(folder: Path) -> Iterator[SshServer]:
    """An sshd that ends with the block."""
    sshd, ssh = need_program("ssh", "sshd"), need_program("ssh", "ssh")
    keygen = need_program("ssh", "ssh-keygen")
    if not _SEPARATION.is_dir():
        if os.geteuid() != 0:
            pytest.skip(f"sshd needs {_SEPARATION}, which only root can make")
        _SEPARATION.mkdir(mode=0o755)
    for name in ("host", "user"):
        subprocess.run(
            [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    keys = folder / "authorized_keys"
    keys.write_bytes((folder / "user.pub").read_bytes())
    keys.chmod(0o600)
    port = _find_port()
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder / 'host'}\n"
        f"AuthorizedKeysFile {keys}\nPidFile none\nUsePAM no\nStrictModes no\n"
        "PasswordAuthentication no\nPermitRootLogin yes\nAcceptEnv *\n"
    )
    login = [
        ssh, "-F", "/dev/null", "-p", str(port), "-i", str(folder / "user"), "-o", "BatchMode=yes",
        "-o", f"UserKnownHostsFile={folder / 'known_hosts'}", "-o", "StrictHostKeyChecking=no",
        "-o", "LogLevel=ERROR", f"{getpass.getuser()}@127.0.0.1",
    ]  # fmt: skip
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stderr=log, stdout=log)
    try:
        _wait_for_port(process, port, folder / "sshd.log")
        yield SshServer(process, login)
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.terminate()
        process.terminate()
        process.wait(timeout=20)


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return
