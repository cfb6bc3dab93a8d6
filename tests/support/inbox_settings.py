"""The test suite's settings with the inbox' dummy module installed, for processes of tests."""

from portal.config.settings.test import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.inbox_dummy.InboxDummy"]  # noqa: F405
