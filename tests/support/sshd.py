"""A real sshd on loopback with keys of its own, and an `ssh` that knows it as `board`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.brokers import free_port

PROGRAM = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
CLIENT = shutil.which("ssh")
SEPARATION = Path("/run/sshd")
"""Without it an sshd of root does not start; the package's service makes it, and where there is none, this does."""
needs_sshd = pytest.mark.skipif(
    PROGRAM is None or CLIENT is None, reason="sshd or ssh is missing: apt install openssh-server openssh-client"
)


@dataclass(frozen=True)
class Board:
    """folder: with keys, configurations and `bin/ssh`. there: the temporary folder of what runs over there."""

    folder: Path
    port: int
    there: Path

    @property
    def path(self) -> str:
        """For $PATH: its ssh before any other."""
        return f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def know(self, key: str) -> None:
        """The client takes this public key for the board's, and no other."""
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {key}\n", encoding="utf-8")

    def key(self, name: str) -> str:
        """A new key pair `name`; returns the public half."""
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        return path.with_suffix(".pub").read_text(encoding="utf-8").strip()

    def processes(self) -> list[int]:
        """What runs over there: it alone has this temporary folder in its environment."""
        wanted, found = f"TMPDIR={self.there}".encode(), []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if wanted in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found


@contextmanager
def board(folder: Path) -> Iterator[Board]:
    """Runs while the context lasts."""
    assert PROGRAM is not None
    if os.getuid() == 0:
        SEPARATION.mkdir(mode=0o755, exist_ok=True)
    made = Board(folder, free_port(), folder / "there")
    made.there.mkdir()
    made.know(made.key("host"))
    (folder / "allowed").write_text(made.key("mine") + "\n", encoding="utf-8")
    (folder / "sshd_config").write_text(
        f"Port {made.port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\n"
        f"AuthorizedKeysFile {folder / 'allowed'}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPidFile none\nPermitRootLogin prohibit-password\n"
        f"SetEnv TMPDIR={made.there}\n",
        encoding="utf-8",
    )
    (folder / "ssh_config").write_text(
        f"Host board\n HostName 127.0.0.1\n Port {made.port}\nHost *\n IdentityFile {folder / 'mine'}\n"
        f" IdentitiesOnly yes\n StrictHostKeyChecking yes\n UserKnownHostsFile {folder / 'known'}\n"
        " GlobalKnownHostsFile /dev/null\n",
        encoding="utf-8",
    )
    script = folder / "bin" / "ssh"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {CLIENT} -F {folder / "ssh_config"} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    command = [PROGRAM, "-D", "-e", "-f", str(folder / "sshd_config")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if "Server listening" in line:
                    break
            else:
                pytest.skip("sshd does not start here as this user")
            yield made
        finally:
            server.kill()
