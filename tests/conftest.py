"""What every test can use. PostgreSQL and Redis are started by `tests/support/services.py`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
import redis
from pytest_django import DjangoDbBlocker, Settings

from portal.demo.processes import RunningService
from tests.support import database, processes
from tests.support.services import ROOT, SERVICES, Services, clone_database, drop_database

pytest_plugins = ["tests.support.browsers"]


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest) -> Services:
    """The PostgreSQL and Redis of this process; a test of faults may kill and restart its Redis."""
    return request.config.stash[SERVICES]


@pytest.fixture(scope="session")
def state_folder(services: Services) -> Path:
    """This process' `PORTAL_STATE_DIR`."""
    return Path(os.environ["PORTAL_STATE_DIR"])


@pytest.fixture(scope="session")
def server_keys(services: Services) -> Path:
    """The folder with this process' server keys: a copy of the run's, made once."""
    from django.conf import settings

    from portal import serverkeys

    of_the_run = services.run_folder / "keys"
    serverkeys.create_missing(of_the_run)
    own = Path(settings.PORTAL_KEYS_DIR)
    shutil.copytree(of_the_run, own, dirs_exist_ok=True)
    return own


@pytest.fixture(scope="session")
def django_db_setup(
    services: Services,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    django_db_use_migrations: bool,
    server_keys: Path,
) -> Generator[None, None, None]:
    """A database of this process' own, copied from the run's migrated template."""
    from django.db import connections

    if not django_db_use_migrations:
        from pytest_django.fixtures import _disable_migrations

        _disable_migrations()
    database.restore_rows_instead_of_flush()
    with django_db_blocker.unblock():
        database.ensure_template(services, cached=django_db_use_migrations)
        clone_database(services)
    yield
    with django_db_blocker.unblock():
        connections.close_all()
        drop_database(services.server_url, connections["default"].settings_dict["NAME"])


@pytest.fixture(autouse=True)
def _nothing_left_in_redis(request: pytest.FixtureRequest) -> Generator[None, None, None]:
    """After a test with the database: no task waits for the next one's worker, no cached page.

    Kombu's own keys stay: this process has told Redis its queues once and will not do so again.
    """
    yield
    marked = request.node.get_closest_marker("django_db") is not None
    if not (marked or {"db", "transactional_db"} & set(request.fixturenames)):
        return
    services: Services = request.config.stash[SERVICES]
    if services.redis is not None and services.redis.process.poll() is not None:
        services.redis.start_again()  # the test killed it
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        left = [key for key in client.scan_iter(count=1000) if not key.startswith(b"_kombu")]
        if left:
            client.delete(*left)


# --- servers around a test; more of them, and how to kill them, in tests/support/processes.py ---


@pytest.fixture(scope="session")
def _site(django_db_setup: None) -> Generator[str, None, None]:
    with processes.site_in_thread() as url:
        yield url


@pytest.fixture
def portal_url(transactional_db: None, _site: str, settings: Settings) -> str:
    """The address of the running portal, pages and websockets; it sees what the test commits."""
    settings.PORTAL_BASE_URL = _site
    return _site


@pytest.fixture(scope="session")
def _provider(services: Services) -> Generator[processes.IdentityProvider, None, None]:
    with processes.identity_provider(services.oidc_socket) as running:
        yield running


@pytest.fixture
def identity_provider(
    _provider: processes.IdentityProvider,
) -> processes.IdentityProvider:
    """A real OpenID Connect provider that nobody is known to yet: `identity_provider.add(…)`."""
    _provider.people.clear()
    return _provider


@pytest.fixture
def mail_server(settings: Settings) -> Generator[processes.MailServer, None, None]:
    """A real SMTP server that the portal's mail of this process goes to."""
    with processes.mail_server() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = processes.HOST, running.port
        yield running


@pytest.fixture
def celery_worker(transactional_db: None) -> Generator[RunningService, None, None]:
    """A real Celery worker process on this test's database and Redis."""
    with processes.celery_worker() as running:
        yield running


@pytest.fixture
def hl7_listener(transactional_db: None) -> Generator[RunningService, None, None]:
    """A real HL7 listener process; its `url` names the port."""
    with processes.hl7_listener() as running:
        yield running


@pytest.fixture(scope="session")
def interop_data() -> Path:
    """Real files of other systems; tests with it are marked `interop`."""
    return _interop_folder()


def _interop_folder() -> Path:
    return Path(os.environ.get("PORTAL_INTEROP_DATA", ROOT.parent / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = _interop_folder()
    if not folder.is_dir():
        for item in items:
            if item.get_closest_marker("interop"):
                item.add_marker(pytest.mark.skip(reason=f"no {folder} (PORTAL_INTEROP_DATA)"))
