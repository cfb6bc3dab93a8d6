import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis
from celery import Celery
from channels_redis.pubsub import RedisPubSubChannelLayer

from portal.demo import embedded
from portal.demo.processes import ProcessError, RunningService
from tests.support.services import ROOT

START_BOTH_AND_WAIT = """
import pathlib, sys, time
from portal.demo import embedded
folder = pathlib.Path(sys.argv[1])
postgres = embedded.start_postgres(folder / "postgres", durable=False)
redis = embedded.start_redis(folder / "redis", durable=False)
print(postgres.process.pid, redis.process.pid, flush=True)
time.sleep(600)
"""

pytestmark = [pytest.mark.requirement("OP-001"), pytest.mark.processes]


@pytest.fixture
def own_redis(tmp_path: Path):
    service = embedded.start_redis(tmp_path / "redis", durable=True)
    yield service
    service.stop()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_postgres_keeps_its_data_over_a_kill_and_a_second_start(tmp_path: Path):
    # deep, and with a space: longer than a unix socket's path may be
    folder = tmp_path / ("very-long-name " * 6) / "database"
    first = embedded.start_postgres(folder, durable=True)
    try:
        assert embedded.create_database(first.url, "portal") is True
        assert embedded.create_database(first.url, "portal") is False
        url = embedded.with_database(first.url, "portal")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            durable = connection.execute("SHOW synchronous_commit").fetchone()
            assert durable == ("on",)
            connections = connection.execute("SHOW max_connections").fetchone()
            assert int(connections[0]) >= 200
        first.kill()
    finally:
        first.stop()
    second = embedded.start_postgres(folder, durable=False)
    try:
        assert second.url == first.url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
    finally:
        second.stop()
        place = Path(psycopg.conninfo.conninfo_to_dict(second.url)["host"])
        assert not place.is_relative_to(folder)
        place.rmdir()  # it has a place of its own, for its path is too long; nothing is left in it


def test_only_the_owner_can_reach_the_database_socket(tmp_path: Path):
    service = embedded.prepare_postgres(tmp_path / "database", durable=False)
    folder = Path(psycopg.conninfo.conninfo_to_dict(service.url)["host"])
    assert folder.stat().st_mode & 0o077 == 0


def test_data_of_another_postgres_version_is_refused_with_the_reason(tmp_path: Path):
    embedded.prepare_postgres(tmp_path, durable=False)
    version = tmp_path / "data" / "PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(ProcessError, match="is of PostgreSQL 12"):
        embedded.prepare_postgres(tmp_path, durable=False)


def test_a_server_that_cannot_start_says_what_its_log_says(tmp_path: Path):
    service = embedded.prepare_redis(tmp_path, durable=False)
    (tmp_path / "redis.conf").write_text("no-such-setting yes\n")
    with pytest.raises(ProcessError, match="no-such-setting"):
        RunningService(service, tmp_path / "redis.log")


def test_redis_keeps_what_was_written_over_a_kill(own_redis: RunningService):
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("kept", "yes")
        time.sleep(1.1)  # the append-only file is written through every second
        own_redis.kill()
        own_redis.start_again()
        assert client.get("kept") == b"yes"


def test_redis_refuses_who_does_not_know_the_password(own_redis: RunningService):
    port = redis.connection.parse_url(own_redis.url)["port"]
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    conf = Path(own_redis.service.argv[1])
    assert conf.stat().st_mode & 0o077 == 0


def test_celery_and_channels_take_the_same_redis_url(own_redis: RunningService):
    app = Celery("probe", broker=own_redis.url, set_as_current=False)
    with app.connection_for_write() as connection:
        queue = connection.SimpleQueue("probe")
        queue.put({"order": 7})
        assert queue.get(timeout=5).payload == {"order": 7}
        queue.close()

    async def through_channels() -> dict[str, object]:
        layer = RedisPubSubChannelLayer(hosts=[own_redis.url])
        name = await layer.new_channel()
        await layer.send(name, {"type": "probe", "order": 7})
        return await layer.receive(name)

    from asgiref.sync import async_to_sync

    assert async_to_sync(through_channels)() == {"type": "probe", "order": 7}


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux'")
def test_a_killed_parent_leaves_neither_database_nor_redis_behind(tmp_path: Path):
    parent = subprocess.Popen(
        [sys.executable, "-c", START_BOTH_AND_WAIT, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert all(map(is_alive, pids))
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 20
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, "the servers outlived their parent"
        time.sleep(0.05)
