"""Tells systemd how a process is: that it is ready, and that it is alive (sd_notify(3)). Says nothing elsewhere.

The protocol is one datagram. The libraries for it have not been touched for years, or want a compiler.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


def notify(state: str, status: str = "") -> None:
    """Tells it. state: one of those above; status: for people, as `systemctl status` shows it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract one
        address = "\0" + address[1:]
    line = f"\nSTATUS={' '.join(status.split())}" if status else ""
    # Whoever waits for it will find out in its own way; this process has other work.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.settimeout(1)
        sender.connect(address)
        sender.sendall((state + line).encode())
