"""A search that loses the server of its database."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import make_url

from archdsl.errors import StoreError
from archdsl.records import State
from archdsl.store.store import open_store

Run = Callable[..., Any]
SEARCH = (
    *("search", "digits", "--set", "evaluate.top1.epochs=1"),
    *("--set", "evaluate.latency.max_seconds=0.2"),
)


class Relay:
    """A way to a server that can be cut: what a stopped server is to those who use it.

    Args:
        server: host or folder of its socket, and port.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = self._reach()
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _reach(self) -> socket.socket:
        host, port = self._server
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        found = socket.socket(socket.AF_UNIX)
        found.connect(f"{host}/.s.PGSQL.{port}")
        return found

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def complete(url: str) -> int:
    """How many trials are complete; 0 while there is no study yet."""
    with suppress(StoreError), open_store(url, create=False, read_only=True) as store:
        return store.trials.count(store.studies.find("digits").id).states[State.COMPLETE]
    return 0


@pytest.mark.slow
def test_what_is_safe_is_said(
    run: Run, start: Callable[..., subprocess.Popen[str]], postgres: str
) -> None:
    url = make_url(postgres)
    socket_folder = url.query.get("host")
    host = socket_folder if isinstance(socket_folder, str) else url.host or "127.0.0.1"
    relay = Relay((host, url.port or 5432))
    way = url.set(host="127.0.0.1", port=relay.port).difference_update_query(["host"])
    driver = start(*SEARCH, "--trials", "20", "--db", way.render_as_string(hide_password=False))
    deadline = time.monotonic() + 120
    while complete(postgres) < 1:
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    relay.cut()
    _, told = driver.communicate(timeout=120)
    assert driver.returncode == 2, told
    assert told.endswith("what is finished is stored there; the same command goes on from it\n")
    stored = complete(postgres)
    assert stored >= 1
    again = run(*SEARCH, "--trials", str(stored + 1), "--db", postgres, "--json").json()
    assert again["ran"] <= 2, "one that was under way, and one more"
