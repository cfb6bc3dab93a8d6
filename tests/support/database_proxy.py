"""The way to PostgreSQL with a switch in it: a test can cut it, or lose an answer on it."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psycopg


class DatabaseProxy:
    """Forwards connections to the database of `DATABASE_URL`; `url` leads through it."""

    def __init__(self, folder: Path) -> None:
        self._upstream = psycopg.conninfo.conninfo_to_dict(os.environ["DATABASE_URL"])
        self.url = self._url(folder)
        self._open = True
        self._lose_answer_to: bytes | None = None
        self._losing: socket.socket | None = None
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / ".s.PGSQL.5432"))
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _url(self, folder: Path) -> str:
        known = {key: str(value) for key, value in self._upstream.items()}
        password = quote(known.get("password", ""), safe="")
        person = f"{quote(known.get('user', 'postgres'), safe='')}:{password}"
        return f"postgresql://{person}@/{quote(known['dbname'])}?host={folder}&port=5432"

    def cut(self) -> None:
        """The database is away: every connection ends, none is let through."""
        self._open = False
        for pair in self._pairs:
            _close(*pair)

    def restore(self) -> None:
        """It is back."""
        self._open = True

    def lose_answer_to(self, statement: bytes) -> None:
        """Cut when the database answers a request with these bytes in it, and lose the answer: the
        worst moment there is."""
        self._lose_answer_to = statement

    def close(self) -> None:
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listening.accept()
            except OSError:
                return
            if not self._open:
                client.close()
                continue
            server = self._connect()
            self._pairs.append((client, server))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = str(self._upstream["host"]), self._upstream.get("port") or 5432
        if not host.startswith("/"):
            return socket.create_connection((host, int(port)))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source is self._losing:  # the answer: so it is committed
                    self.cut()
                    break
                if self._lose_answer_to is not None and self._lose_answer_to in data:
                    self._lose_answer_to, self._losing = None, target
                target.sendall(data)
        _close(source, target)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextmanager
def database_proxy() -> Generator[DatabaseProxy, None, None]:
    """A way to this test's database, for processes started with its `url` as `DATABASE_URL`."""
    with tempfile.TemporaryDirectory(prefix="proxy-") as folder:
        proxy = DatabaseProxy(Path(folder))
        try:
            yield proxy
        finally:
            proxy.close()
