"""The test suite's settings with what only the demo's have, for the processes of browser tests."""

from portal.config.settings.test import *  # noqa: F403

PORTAL_DEMO = True
# as in the demo: the stand-in provider answers a form of the portal ("Log in again") by a redirect
CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] = [SELF, OIDC_OP_ISSUER]  # noqa: F405
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
