"""Settings of the test suite: real PostgreSQL and Redis, cheap key derivation."""

from portal.config.settings.base import *

DEBUG = False
SECRET_KEY = "only-for-tests"  # noqa: S105
ALLOWED_HOSTS = ["*"]
PORTAL_ARGON2 = {"memory_cost": 64, "time_cost": 1, "parallelism": 1}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

OIDC_OP_ISSUER = os.environ.get("OIDC_ISSUER", "http://127.0.0.1:9400")
OIDC_RP_CLIENT_SECRET = "test"  # noqa: S105
OIDC_VERIFY_KID = False
CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] = [SELF, OIDC_OP_ISSUER]

STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
EMAIL_BACKEND = os.environ.get("EMAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
CELERY_TASK_ALWAYS_EAGER = False
# a site in a thread of the tests' process would write between them; processes are told to
PORTAL_WATCH_CONFIGURATION = os.environ.get("PORTAL_WATCH_CONFIGURATION") == "yes"
LANGUAGE_CODE = "en"

PORTAL_MODULE_SETTINGS = {
    "tracershop": {
        "dispenser_folder": str(STATE / "dispenser"),
        "consignor_name": "Rigshavnens Radiofarmaci",
        "consignor_address": "Cyklotronvej 4\n2100 København Ø\nDanmark",
        "emergency_phone": "+45 00 00 00 00",
    },
    "digital_review": {"slides_folder": str(STATE / "slides")},
    **PORTAL_MODULE_SETTINGS,
}
INSTALLED_APPS = installed_apps(PORTAL_MODULE_SETTINGS)
