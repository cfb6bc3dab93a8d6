"""What every test can use. PostgreSQL and Redis are started by `tests/support/services.py`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.support import database
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
