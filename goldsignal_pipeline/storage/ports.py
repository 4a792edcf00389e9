"""Free TCP ports, below the ranges from which Linux and macOS serve outgoing connections."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Final

from goldsignal_pipeline.errors import ServiceError

RANGE: Final = range(20_000, 30_000)
_ANSWER_SECONDS: Final = 0.5


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now and would be the one that is reached.

    macOS lets a server bind one address while another listens at the same port on all of them, so a bind alone does not tell.
    """
    return _can_bind(port, host) and not _answers(port, host)


def _can_bind(port: int, host: str) -> bool:
    with _socket(host) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _answers(port: int, host: str) -> bool:
    with _socket(host) as probe:
        probe.settimeout(_ANSWER_SECONDS)
        return probe.connect_ex((host, port)) == 0


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)


def first_free(wanted: int, host: str = "127.0.0.1") -> int:
    """`wanted`, or the next free port within a hundred; raises `ServiceError`."""
    for port in range(wanted, min(wanted + 100, 65_536)):
        if is_free(port, host):
            return port
    raise ServiceError(f"No port from {wanted} to {wanted + 99} is free on {host}.", done="Nothing was started on it.")


def free_for(folder: Path, purpose: str) -> int:
    """A free port whose search begins at a place that differs by folder and purpose, so that two checkouts rarely meet."""
    digest = hashlib.sha256(f"{purpose}:{folder}".encode()).digest()
    offset = int.from_bytes(digest[:4], "big") % len(RANGE)
    for step in range(len(RANGE)):
        port = RANGE[(offset + step) % len(RANGE)]
        if is_free(port):
            return port
    raise ServiceError("No port between 20000 and 29999 is free.", done="Nothing was started.")
