"""Free ports: what a server could have now, on Linux and on macOS, where a bind alone proves nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from goldsignal_pipeline.errors import ServiceError
from goldsignal_pipeline.storage import ports


def listener(host: str) -> socket.socket:
    return socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def port_of(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_is_free_until_somebody_listens_and_again_when_he_is_gone(host: str) -> None:
    try:
        server = listener(host)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with server:
        port = port_of(server)
        assert not ports.is_free(port, host)
    assert ports.is_free(port, host)


def test_a_port_on_which_somebody_listens_at_every_address_is_not_free_where_a_bind_succeeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On macOS the bind succeeds; here it is said to, and the server that answers is a real one."""
    monkeypatch.setattr(ports, "_can_bind", lambda port, host: True)
    with listener("0.0.0.0") as server:
        assert not ports.is_free(port_of(server))
    assert ports.is_free(port_of_nobody())


def port_of_nobody() -> int:
    with listener("127.0.0.1") as server:
        return port_of(server)


def test_the_next_free_port_is_taken_and_a_folder_begins_its_search_at_its_own_place(tmp_path: Path) -> None:
    with listener("127.0.0.1") as server:
        assert port_of(server) < ports.first_free(port_of(server)) < port_of(server) + 100
    mine = ports.free_for(tmp_path, "postgres")
    assert mine in ports.RANGE
    assert mine != ports.free_for(tmp_path, "code server")


def test_without_any_free_port_the_error_names_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda port, host="127.0.0.1": False)
    with pytest.raises(ServiceError, match="No port from 3000 to 3099 is free"):
        ports.first_free(3000)
