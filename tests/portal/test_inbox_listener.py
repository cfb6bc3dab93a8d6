"""The HL7 listener over real sockets: framing, many senders, silence, stopping."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from django.core.cache import cache
from hl7.client import MLLPClient

from portal.inbox import health, hl7_listener
from portal.inbox.hl7_listener import Listener, Patience
from portal.inbox.mllp import Framer, frame
from portal.inbox.models import InboundMessage
from tests.support.inbox_dummy import install, message

HOST = "127.0.0.1"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


@contextmanager
def listening(**options: Any) -> Generator[Listener, None, None]:
    listener = Listener(HOST, 0, **options)
    thread = threading.Thread(target=listener.serve)
    thread.start()
    try:
        yield listener
    finally:
        listener.stop()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def port() -> Generator[int, None, None]:
    with listening() as listener:
        yield listener.port


class Sender:
    """A socket that sends what it is told and reads whole answers."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._framer = Framer(100_000)

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_error: object) -> None:
        self.socket.close()

    def answers(self, count: int) -> list[str]:
        """MSA-1 and MSA-2 of the next answers, as `AA 17`."""
        found: list[str] = []
        while len(found) < count:
            data = self.socket.recv(4096)
            assert data, "the listener hung up"
            for ack in self._framer.feed(data):
                assert isinstance(ack, bytes)
                found.append(" ".join(ack.decode().split("\r")[1].split("|")[1:3]))
        return found

    def is_hung_up_on(self) -> bool:
        try:
            return self.socket.recv(4096) == b""
        except ConnectionResetError:
            return True


@pytest.mark.requirement("TS-020", "TS-021")
def test_an_hl7_client_gets_its_message_accepted_when_it_is_stored(port: int) -> None:
    with MLLPClient(HOST, port) as client:
        assert b"\rMSA|AA|1" in client.send_message(message("1"))
        assert InboundMessage.objects.get().state == "received"
        assert b"\rMSA|AE|2" in client.send_message(message("2", "unreadable"))
        assert b"\rMSA|AR|3" in client.send_message(message("3", kind="ADT^A01"))
        assert b"\rMSA|AA|4" in client.send_message(message("4"))


@pytest.mark.requirement("TS-020")
def test_two_messages_in_one_packet_get_two_answers_in_order(port: int) -> None:
    with Sender(port) as sender:
        sender.socket.sendall(frame(message("1")) + frame(message("2")))
        assert sender.answers(2) == ["AA 1", "AA 2"]


@pytest.mark.requirement("TS-020")
def test_a_message_may_come_byte_by_byte(port: int) -> None:
    with Sender(port) as sender:
        for byte in frame(message("1")):
            sender.socket.sendall(bytes([byte]))
        assert sender.answers(1) == ["AA 1"]


@pytest.mark.requirement("TS-021")
def test_an_enormous_message_is_refused_and_the_connection_goes_on(
    port: int, settings: Any
) -> None:
    settings.PORTAL_HL7_MAX_BYTES = 5_000
    with Sender(port) as sender:
        sender.socket.sendall(frame(message("1") + b"NTE|" + b"x" * 200_000))
        assert sender.answers(1) == ["AE 1"]
        sender.socket.sendall(frame(message("2")))
        assert sender.answers(1) == ["AA 2"]
    note = InboundMessage.objects.get(state="quarantined")
    assert note.size_bytes > 200_000


def test_what_is_no_message_gets_no_answer_of_its_own(port: int) -> None:
    with Sender(port) as sender:
        sender.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
        sender.socket.sendall(b"\x0bMSH|^~\\&|given up in the mid")
        sender.socket.sendall(frame(message("1")) + b"\r\n" + frame(b"rubbish"))
        assert sender.answers(2) == ["AA 1", "AE "]


@pytest.mark.requirement("TS-021")
def test_many_senders_at_once_lose_nothing(port: int) -> None:
    def send(number: int) -> list[str]:
        with Sender(port) as sender:
            answers = []
            for each in range(5):
                sender.socket.sendall(frame(message(f"{number}-{each}")))
                answers += sender.answers(1)
        return answers

    with ThreadPoolExecutor(20) as pool:
        answers = [answer for some in pool.map(send, range(20)) for answer in some]
    assert sorted(answers) == sorted(f"AA {n}-{each}" for n in range(20) for each in range(5))
    assert InboundMessage.objects.filter(state="received").count() == 100


def test_more_senders_than_are_admitted_are_sent_away_until_one_leaves() -> None:
    with listening(max_connections=1) as listener:
        with Sender(listener.port) as first:
            first.socket.sendall(frame(message("1")))
            assert first.answers(1) == ["AA 1"]
            with Sender(listener.port) as second:
                assert second.is_hung_up_on()
            first.socket.sendall(frame(message("2")))
            assert first.answers(1) == ["AA 2"]
        for _attempt in range(100):  # the first one's leaving takes a moment to be noticed
            with Sender(listener.port) as third:
                try:
                    third.socket.sendall(frame(message("3")))
                    assert third.answers(1) == ["AA 3"]
                    break
                except (AssertionError, ConnectionError):
                    threading.Event().wait(0.05)
        else:
            pytest.fail("nobody was admitted again")


@pytest.mark.parametrize("sent", [b"", b"\x0bMSH|^~\\&|begun and never ended"])
def test_a_sender_that_falls_silent_is_hung_up_on(sent: bytes) -> None:
    with (
        listening(patience=Patience(idle_s=0.3, frame_s=0.3)) as listener,
        Sender(listener.port) as sender,
    ):
        sender.socket.sendall(sent)
        assert sender.is_hung_up_on()


def test_a_message_that_trickles_in_for_ever_does_not_keep_its_place() -> None:
    def trickle(sender: Sender) -> None:
        sender.socket.sendall(b"\x0b")
        while True:
            sender.socket.sendall(b"x")
            threading.Event().wait(0.02)

    with (
        listening(patience=Patience(frame_s=0.3)) as listener,
        Sender(listener.port) as sender,
        pytest.raises(ConnectionError),
    ):
        trickle(sender)


def test_a_sender_that_breaks_off_harms_nobody(port: int) -> None:
    with Sender(port) as other:
        broken = Sender(port)
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        broken.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        broken.socket.sendall(frame(message("1"))[:-3])
        broken.socket.close()  # a reset, not an orderly end
        other.socket.sendall(frame(message("2")))
        assert other.answers(1) == ["AA 2"]


@pytest.mark.requirement("TS-021")
def test_a_stop_lets_the_message_in_hand_be_stored_and_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_hand, go_on = threading.Event(), threading.Event()
    take: Callable[..., Any] = hl7_listener.take

    def slow(received: bytes) -> Any:
        in_hand.set()
        assert go_on.wait(30)
        return take(received)

    monkeypatch.setattr(hl7_listener, "take", slow)
    with listening() as listener, Sender(listener.port) as sender, Sender(listener.port) as idle:
        sender.socket.sendall(frame(message("1")))
        assert in_hand.wait(30)
        listener.stop()
        assert idle.is_hung_up_on()
        go_on.set()
        assert sender.answers(1) == ["AA 1"]
        assert sender.is_hung_up_on()
    assert InboundMessage.objects.count() == 1


def test_a_port_that_is_taken_is_an_error_at_once(port: int) -> None:
    with pytest.raises(OSError, match="in use"):
        Listener(HOST, port)


@pytest.mark.requirement("TS-021")
def test_many_messages_ask_for_processing_a_few_times(settings: Any) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.delete("celery")
        with listening() as listener, Sender(listener.port) as sender:
            for number in range(30):
                sender.socket.sendall(frame(message(str(number))))
            assert len(sender.answers(30)) == 30
        assert 1 <= client.llen("celery") < 30


@pytest.mark.requirement("OP-004")
def test_the_listener_reports_to_the_health_page() -> None:
    cache.delete(health.HEARTBEAT_KEY)
    with listening():
        for _attempt in range(200):
            if cache.get(health.HEARTBEAT_KEY):
                break
            threading.Event().wait(0.05)
        health.check_listener()


@pytest.mark.requirement("TS-021")
def test_without_redis_messages_are_stored_and_accepted(services: Any) -> None:
    if services.redis is None:
        pytest.skip("the Redis of this run is not ours to stop")
    services.redis.kill()
    try:
        with listening() as listener, Sender(listener.port) as sender:
            sender.socket.sendall(frame(message("1")) + frame(message("2")))
            assert sender.answers(2) == ["AA 1", "AA 2"]
    finally:
        services.redis.start_again()
    assert InboundMessage.objects.filter(state="received").count() == 2
