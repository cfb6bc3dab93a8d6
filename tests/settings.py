"""The settings of a test run: the portal's, and an app with personal data to try masking on."""

from portal.config.settings.test import *  # noqa: F403
from portal.config.settings.test import INSTALLED_APPS as _PORTAL

INSTALLED_APPS = [*_PORTAL, "tests.support.patients_app.apps.Patients"]
