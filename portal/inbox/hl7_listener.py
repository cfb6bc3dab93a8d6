"""The MLLP listener: a thread for each sender, a database connection for each thread (TS-020)."""

from __future__ import annotations

import logging
import socket
import threading
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import connections
from redis.exceptions import RedisError

from portal.inbox.handlers import HL7
from portal.inbox.health import beat
from portal.inbox.hl7_intake import take
from portal.inbox.mllp import Broken, Framer, frame
from portal.inbox.services.processing import kick

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 64
HEARTBEAT_S = 10.0
KICK_PAUSE_S = 0.05
_RECEIVE_BYTES = 64 * 1024
_SEND_S = 30.0  # a sender that does not read its answers is given up
_STOP_GRACE_S = 5.0
_ACCEPT_S = 0.25  # how soon a stop is noticed


@dataclass(frozen=True)
class Patience:
    """How long a sender may be silent, and how long one message may take to arrive."""

    idle_s: float = 15 * 60.0
    frame_s: float = 60.0


class Listener:
    """Accepts senders, keeps and acknowledges what they send, asks the worker to process it."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        max_connections: int = MAX_CONNECTIONS,
        patience: Patience | None = None,
    ) -> None:
        """Listens from now on; OSError when the address is taken. ``port`` 0: any free one."""
        self._max_connections = max_connections
        self._patience = patience or Patience()
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._senders: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._socket = socket.create_server((host, port), backlog=max_connections)
        self._socket.settimeout(_ACCEPT_S)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def stop(self) -> None:
        """Let `serve` return once the messages in hand are answered. Safe in a signal handler."""
        self._stopping.set()

    def serve(self) -> None:
        """Until `stop`."""
        teller = threading.Thread(target=self._tell, name="hl7-teller", daemon=True)
        teller.start()
        with self._socket:
            while not self._stopping.is_set():
                try:
                    sender, (host, port, *_rest) = self._socket.accept()
                except TimeoutError:
                    continue
                except OSError as error:  # out of file handles, or gone before it was accepted
                    logger.warning("a sender could not be accepted: %s", error.strerror)
                    self._stopping.wait(_ACCEPT_S)
                    continue
                self._admit(sender, f"{host}:{port}")
        self._dismiss()
        teller.join(_STOP_GRACE_S)
        if self._news.is_set():
            kick(HL7)

    def _admit(self, sender: socket.socket, address: str) -> None:
        with self._lock:
            if len(self._senders) >= self._max_connections:
                logger.warning("%s is sent away: %d are connected", address, len(self._senders))
                sender.close()
                return
            thread = threading.Thread(
                target=self._serve_sender, args=(sender, address), name=address, daemon=True
            )
            self._senders[thread] = sender
        thread.start()

    def _dismiss(self) -> None:
        """End reading, so that whoever waits for a message stops; answers still go out."""
        with self._lock:
            senders = dict(self._senders)
        for sender in senders.values():
            try:
                sender.shutdown(socket.SHUT_RD)
            except OSError:  # it has just gone by itself
                continue
        ends_at = time.monotonic() + _STOP_GRACE_S
        for thread in senders:
            thread.join(max(0.0, ends_at - time.monotonic()))

    # --- one sender ---------------------------------------------------------------------------

    def _serve_sender(self, sender: socket.socket, address: str) -> None:
        logger.info("%s connected", address)
        ending = "disconnected"
        try:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(sender)
        except TimeoutError:
            ending = "was silent for too long"
        except OSError as error:
            ending = f"broke off: {error.strerror}"
        finally:
            sender.close()
            connections.close_all()  # this thread's own
            with self._lock:
                self._senders.pop(threading.current_thread(), None)
            logger.info("%s %s", address, ending)

    def _converse(self, sender: socket.socket) -> None:
        framer = Framer(settings.PORTAL_HL7_MAX_BYTES)
        ends_at = time.monotonic() + self._patience.idle_s
        while not self._stopping.is_set():
            sender.settimeout(max(0.001, ends_at - time.monotonic()))
            data = sender.recv(_RECEIVE_BYTES)
            if not data:
                return
            was_mid_frame = framer.mid_frame
            outcomes = framer.feed(data)
            for outcome in outcomes:
                if isinstance(outcome, Broken):
                    # No answer: it would be taken for that to the message which follows.
                    logger.warning("a message broke off after %d bytes", outcome.size)
                    continue
                answer = take(outcome)
                sender.settimeout(_SEND_S)
                sender.sendall(frame(answer.ack))
                if answer.is_news:
                    self._news.set()
            if not framer.mid_frame:
                ends_at = time.monotonic() + self._patience.idle_s
            elif outcomes or not was_mid_frame:  # a new message has begun
                ends_at = time.monotonic() + self._patience.frame_s

    # --- telling others -----------------------------------------------------------------------

    def _tell(self) -> None:
        """Ask for processing, at most every 50 ms, and report to the health page.

        In a thread of its own: Redis may be slow or away, and no sender waits for it.
        """
        beat_at = 0.0
        while not self._stopping.is_set():
            if self._news.wait(_ACCEPT_S):
                self._news.clear()
                kick(HL7)
            if time.monotonic() >= beat_at:
                self._beat()
                beat_at = time.monotonic() + HEARTBEAT_S
            self._stopping.wait(KICK_PAUSE_S)

    def _beat(self) -> None:
        try:
            beat(len(self._senders))
        except (RedisError, OSError) as error:
            logger.warning("the heartbeat did not get out: %s", type(error).__name__)
