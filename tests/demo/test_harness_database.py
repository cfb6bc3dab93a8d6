"""The suite's own ground: a migrated database a process, that committing tests leave as it was."""

import os

import psycopg
import pytest
import redis
from django.db import DatabaseError, connection
from wagtail.models import Locale, Page

from portal.audit.models import AuditEntry
from portal.audit.services import record
from tests.support.services import Services


@pytest.mark.requirement("OP-001")
@pytest.mark.parametrize("turn", ["first", "second"])
def test_a_test_that_commits_finds_the_rows_of_the_migrations_and_may_delete_them(
    transactional_db: None, turn: str
) -> None:
    assert Page.objects.exists()
    assert Locale.objects.exists()
    Page.objects.all().delete()
    assert not Page.objects.exists()


@pytest.mark.parametrize("turn", ["first", "second"])
def test_a_committing_test_leaves_nothing_in_a_table_that_refuses_delete(
    transactional_db: None, turn: str
) -> None:
    before = AuditEntry.objects.count()
    record("test.committed", data={"turn": turn})
    assert AuditEntry.objects.filter(action="test.committed").count() == 1
    assert AuditEntry.objects.count() == before + 1
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {AuditEntry._meta.db_table}")
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {AuditEntry._meta.db_table} CASCADE")


def test_committed_rows_are_seen_by_other_processes(
    transactional_db: None, services: Services
) -> None:
    Locale.objects.create(language_code="nl")
    with psycopg.connect(services.database_url) as other:
        found = other.execute("SELECT count(*) FROM wagtailcore_locale WHERE language_code='nl'")
        assert found.fetchone() == (1,)
    assert os.environ["DATABASE_URL"] == services.database_url


def test_a_cut_database_connection_does_not_harm_the_next_test(
    transactional_db: None, services: Services
) -> None:
    with psycopg.connect(services.database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_redis_can_be_killed_and_is_there_again_for_the_next_test(
    transactional_db: None, services: Services
) -> None:
    if services.redis is None:
        pytest.skip("REDIS_URL names a server that is not ours to kill")
    services.redis.kill()
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(os.environ["REDIS_URL"]).ping()


def test_redis_is_there_and_empty(transactional_db: None) -> None:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert [key for key in client.scan_iter() if not key.startswith(b"_kombu")] == []
        client.set("left", "over")
