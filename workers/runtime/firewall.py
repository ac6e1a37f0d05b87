"""What a Docker Engine's firewall lets through: the rules where the engine runs. Reads only."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess

ANSWER_SECONDS = 5
# What an engine makes at its start, unless it was told to leave the firewall alone.
CHAIN = "-N DOCKER"


def rules(docker_url: str) -> str | None:
    """The rules of iptables, as `iptables -S` prints them, in the network namespace of the engine.

    None if they cannot be read: the engine is on another machine, or whoever asks is not root.
    """
    path = docker_url.removeprefix("unix://")
    iptables = shutil.which("iptables")
    if path == docker_url or iptables is None:
        return None
    try:
        namespace = f"/proc/{_listener(path)}/ns/net"
        done = subprocess.run(
            ["nsenter", f"--net={namespace}", iptables, "-w", "-S"],
            capture_output=True, text=True, check=True, timeout=ANSWER_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _listener(path: str) -> int:
    """The process that listens at a socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(path)
        return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
