"""Settings common to every way of running. What differs by place comes from the environment."""

from __future__ import annotations

import os
import tomllib
from datetime import time, timedelta
from pathlib import Path
from urllib.parse import unquote, urlparse

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from portal import __version__
from portal.registry import discover

ROOT = Path(__file__).resolve().parents[3]
STATE = Path(os.environ.get("PORTAL_STATE_DIR", ROOT / "var" / "demo"))

# --- who and where ---------------------------------------------------------------------------
PORTAL_NAME = os.environ.get("PORTAL_NAME", "Hospital Portal")
PORTAL_RELEASE = os.environ.get("PORTAL_RELEASE", __version__)
PORTAL_BASE_URL = os.environ.get("PORTAL_BASE_URL", "http://127.0.0.1:8000")
PORTAL_SUPPORT_CONTACT = os.environ.get("PORTAL_SUPPORT_CONTACT", "IT service desk, phone 1234")
PORTAL_THEME = os.environ.get("PORTAL_THEME", "base")
PORTAL_KEYS_DIR = os.environ.get("PORTAL_KEYS_DIR", str(STATE / "keys"))
PORTAL_ANCHOR_FILE = os.environ.get("PORTAL_ANCHOR_FILE", str(STATE / "audit-anchors.jsonl"))
# A second place for the audit trail's anchors: another file, syslog:/dev/log or syslog:host:514
PORTAL_ANCHOR_COPY = os.environ.get("PORTAL_ANCHOR_COPY", "")
PORTAL_ARGON2: dict[str, int] = {}  # empty: RFC 9106's second recommendation

# --- modules ---------------------------------------------------------------------------------
# A TOML file with a table a module, e.g. [tracershop] dispenser_folder = "/srv/dispenser"
_module_file = os.environ.get("PORTAL_MODULE_SETTINGS")
PORTAL_MODULE_SETTINGS = (
    tomllib.loads(Path(_module_file).read_text(encoding="utf-8")) if _module_file else {}
)

# --- outside systems -------------------------------------------------------------------------
# A TOML file with a table a system, docs/connectors.md; a table that is wrong stops no other.
_outside_file = os.environ.get("PORTAL_OUTSIDE_SYSTEMS")
PORTAL_OUTSIDE_SYSTEMS = (
    tomllib.loads(Path(_outside_file).read_text(encoding="utf-8")) if _outside_file else {}
)
# Their answers hold personal data: kept up to this size, and while somebody looks at them.
PORTAL_OUTSIDE_CACHE_MB = int(os.environ.get("PORTAL_OUTSIDE_CACHE_MB", "256"))
PORTAL_OUTSIDE_CACHE_KEEP_DAYS = int(os.environ.get("PORTAL_OUTSIDE_CACHE_KEEP_DAYS", "90"))
# What was written to them is removed here so long after it was delivered or dropped.
PORTAL_OUTSIDE_WRITES_KEEP_DAYS = int(os.environ.get("PORTAL_OUTSIDE_WRITES_KEEP_DAYS", "30"))

PORTAL_APPS = [
    "portal.records",
    "portal.audit",
    "portal.organisation",
    "portal.access",
    "portal.live",
    "portal.notifications",
    "portal.accounts",
    "portal.signing",
    "portal.documents",
    "portal.inbox",
    "portal.connectors",
    "portal.forms",
    "portal.flows",
    "portal.operations",
    "portal.content",
]

THIRD_PARTY_APPS = [
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "treebeard",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "simple_history",
    "guardian",
    "mozilla_django_oidc",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_htmx",
    "django_cotton.apps.SimpleAppConfig",
    "csp",
]


def installed_apps(module_settings: dict[str, dict[str, object]]) -> list[str]:
    """The portal, whatever modules are installed and sound, and the libraries.

    pgtrigger is first: what the others write after a migrate finds its triggers in place.
    """
    modules = discover(module_settings).app_configs
    return ["pgtrigger", *PORTAL_APPS, *modules, *THIRD_PARTY_APPS]


# Triggers are put in place after every migrate, not by it: as operations of migrations they made
# an empty database take minutes (ADR 0011). Those of a module that is gone stay on its tables.
PGTRIGGER_MIGRATIONS = False
PGTRIGGER_INSTALL_ON_MIGRATE = True
PGTRIGGER_PRUNE_ON_INSTALL = False

# each settings file that builds on this one sets INSTALLED_APPS = installed_apps(…), once

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "portal.operations.middleware.RequestId",
    "portal.operations.middleware.PlainCookies",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.operations.metrics.Measure",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "portal.accounts.middleware.SessionLimits",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "portal.accounts.middleware.PersonalLanguage",
    "portal.access.middleware.TakeStanding",
    "portal.audit.middleware.ActingPerson",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.operations.middleware.DomainErrors",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "portal.config.urls"
WSGI_APPLICATION = "portal.config.wsgi.application"
ASGI_APPLICATION = "portal.config.asgi.application"

_THEME_DIRS = [ROOT / "themes" / name for name in dict.fromkeys([PORTAL_THEME, "base"])]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [folder / "templates" for folder in _THEME_DIRS],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django_cotton.cotton_loader.Loader",
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "django_cotton.templatetags.cotton",
                "portal.operations.templatetags.portal_formats",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "portal.operations.context.portal",
            ],
        },
    }
]

# --- database --------------------------------------------------------------------------------


def database(url: str) -> dict[str, object]:
    """Django's settings for a PostgreSQL URL; ``?host=/folder`` names a unix socket."""
    parts = urlparse(url)
    query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or "postgres"),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(query.get("host", parts.hostname or "")),
        "PORT": str(parts.port or query.get("port", "")),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "application_name": "portal",
            "connect_timeout": 5,
            # a database host that hangs is noticed; a unix socket ignores these
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
        "ATOMIC_REQUESTS": False,
    }


DATABASES = {"default": database(os.environ.get("DATABASE_URL", "postgresql://127.0.0.1/portal"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "portal",
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [REDIS_URL],
            "prefix": os.environ.get("PORTAL_REDIS_PREFIX", "portal") + "-live",
        },
    }
}

# --- Celery ----------------------------------------------------------------------------------
CELERY_BROKER_URL = (
    REDIS_URL.replace("unix://", "redis+socket://") if REDIS_URL.startswith("unix") else REDIS_URL
)
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300, "socket_connect_timeout": 2}
CELERY_TIMEZONE = "UTC"

# --- accounts --------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
PORTAL_LOGIN = os.environ.get("PORTAL_LOGIN", "oidc")  # how staff log in: oidc or cas
PORTAL_ACCOUNTS_BY_REQUEST = os.environ.get("PORTAL_ACCOUNTS_BY_REQUEST", "") == "yes"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    {
        "oidc": "portal.accounts.backends.RegionalIdBackend",
        "cas": "portal.accounts.backends.CasBackend",
    }[PORTAL_LOGIN],
    "portal.accounts.backends.ExternalAccountBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = int(timedelta(days=3).total_seconds())
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "accounts:login"
GUARDIAN_MONKEY_PATCH_USER = False
ANONYMOUS_USER_NAME = None
GUARDIAN_RAISE_403 = True

OIDC_OP_ISSUER = os.environ.get("OIDC_ISSUER", "")
OIDC_RP_CLIENT_ID = os.environ.get("OIDC_CLIENT_ID", "hospital-portal")
OIDC_RP_CLIENT_SECRET = os.environ.get("OIDC_CLIENT_SECRET", "")
OIDC_OP_AUTHORIZATION_ENDPOINT = os.environ.get(
    "OIDC_AUTHORIZATION_ENDPOINT", f"{OIDC_OP_ISSUER}/oauth2/authorize"
)
OIDC_OP_TOKEN_ENDPOINT = os.environ.get("OIDC_TOKEN_ENDPOINT", f"{OIDC_OP_ISSUER}/oauth2/token")
OIDC_OP_USER_ENDPOINT = os.environ.get("OIDC_USER_ENDPOINT", f"{OIDC_OP_ISSUER}/userinfo")
OIDC_OP_JWKS_ENDPOINT = os.environ.get("OIDC_JWKS_ENDPOINT", f"{OIDC_OP_ISSUER}/jwks")
OIDC_RP_SIGN_ALGO = "RS256"
OIDC_RP_SCOPES = os.environ.get("OIDC_SCOPES", "openid profile email groups")
OIDC_USE_PKCE = True
OIDC_PKCE_CODE_CHALLENGE_METHOD = "S256"
OIDC_CREATE_USER = True
OIDC_TIMEOUT = 10
OIDC_CLOCK_SKEW_S = int(os.environ.get("OIDC_CLOCK_SKEW_S", "30"))
OIDC_STATE_SIZE = 32
OIDC_VERIFY_KID = True
OIDC_CLAIM_REGIONAL_ID = os.environ.get("OIDC_CLAIM_REGIONAL_ID", "preferred_username")
OIDC_CLAIM_GROUPS = os.environ.get("OIDC_CLAIM_GROUPS", "groups")
LOGIN_REDIRECT_URL_FAILURE = "/accounts/refused/"

# with a slash at its end, e.g. https://login.example/cas/
CAS_SERVER_URL = os.environ.get("CAS_SERVER_URL", "")
# what the server calls these; empty: the CAS user name
CAS_ATTRIBUTES = {
    "subject": os.environ.get("CAS_ATTRIBUTE_SUBJECT", ""),
    "regional_id": os.environ.get("CAS_ATTRIBUTE_REGIONAL_ID", ""),
    "name": os.environ.get("CAS_ATTRIBUTE_NAME", "displayName"),
    "email": os.environ.get("CAS_ATTRIBUTE_MAIL", "mail"),
    "groups": os.environ.get("CAS_ATTRIBUTE_GROUPS", "memberOf"),
}

AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=30)
AXES_LOCKOUT_PARAMETERS = ["username"]
AXES_LOCKOUT_TEMPLATE = "accounts/locked_out.html"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
OTP_TOTP_ISSUER = PORTAL_NAME

SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # the identity provider sends people back by a link
CSRF_COOKIE_SAMESITE = "Lax"
PORTAL_SESSION_IDLE = timedelta(minutes=int(os.environ.get("PORTAL_SESSION_IDLE_MIN", "60")))
PORTAL_SESSION_ABSOLUTE = timedelta(hours=12)
PORTAL_SUSPEND_AFTER = timedelta(days=90)

SILENCED_SYSTEM_CHECKS = [
    "axes.W006",  # locked by user name: a hospital's people share an address
    "guardian.W001",  # guardian's tables are read by portal.access, not as a backend
]

# --- headers ---------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    },
    # Wagtail's admin still writes inline scripts of its own
    "EXCLUDE_URL_PREFIXES": ("/cms/",),
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

# --- languages -------------------------------------------------------------------------------
LANGUAGE_CODE = os.environ.get("PORTAL_LANGUAGE", "da")
LANGUAGES = [("da", _("Danish")), ("nl", _("Dutch")), ("cs", _("Czech")), ("en", _("English"))]
WAGTAIL_CONTENT_LANGUAGES = LANGUAGES
LOCALE_PATHS = [ROOT / "portal" / "locale"]
FORMAT_MODULE_PATH = "portal.config.formats"
TIME_ZONE = os.environ.get("PORTAL_TIME_ZONE", "Europe/Copenhagen")
USE_I18N = True
USE_TZ = True

# --- files -----------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = Path(os.environ.get("PORTAL_STATIC_ROOT", ROOT / "var" / "static"))
STATICFILES_DIRS = [folder / "static" for folder in reversed(_THEME_DIRS) if folder.exists()]
MEDIA_URL = "/media/"
MEDIA_ROOT = STATE / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# --- mail ------------------------------------------------------------------------------------
EMAIL_BACKEND = os.environ.get("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_HOST = os.environ.get("EMAIL_HOST", "127.0.0.1")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "25"))
EMAIL_TIMEOUT = 10
PORTAL_DIGEST_AT = time.fromisoformat(os.environ.get("PORTAL_DIGEST_AT", "07:00"))
DEFAULT_FROM_EMAIL = os.environ.get("PORTAL_MAIL_FROM", "portal@hospital.invalid")

# --- Wagtail ---------------------------------------------------------------------------------
WAGTAIL_SITE_NAME = PORTAL_NAME
WAGTAILADMIN_BASE_URL = PORTAL_BASE_URL
WAGTAIL_ENABLE_UPDATE_CHECK = False
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAIL_PASSWORD_MANAGEMENT_ENABLED = False
WAGTAIL_EMAIL_MANAGEMENT_ENABLED = False
WAGTAILUSERS_PASSWORD_ENABLED = False
WAGTAILADMIN_LOGIN_URL = "accounts:login"
WAGTAIL_FRONTEND_LOGIN_URL = "/accounts/login/"
TAGGIT_CASE_INSENSITIVE = True

# --- inbound ---------------------------------------------------------------------------------
PORTAL_HL7_HOST = os.environ.get("PORTAL_HL7_HOST", "127.0.0.1")
PORTAL_HL7_PORT = int(os.environ.get("PORTAL_HL7_PORT", "2575"))
PORTAL_HL7_MAX_BYTES = 1024 * 1024
PORTAL_INBOX_KEEP_DAYS = 7

# --- logs ------------------------------------------------------------------------------------
# Days after which the whole logs are verified again, the nights between only what was added;
# 0: the whole every night, which takes a few seconds a million entries.
PORTAL_AUDIT_WHOLE_EVERY = timedelta(days=int(os.environ.get("PORTAL_AUDIT_WHOLE_EVERY_DAYS", "0")))
# Years that access log entries stay at least (NEN 7513: five); 0: for ever. A check holds it.
PORTAL_ACCESS_LOG_KEEP_YEARS = int(os.environ.get("PORTAL_ACCESS_LOG_KEEP_YEARS", "0"))
# Days within which the audit trail is to be reviewed and signed off anew; 0: nobody is reminded.
PORTAL_TRAIL_REVIEW_DAYS = int(os.environ.get("PORTAL_TRAIL_REVIEW_DAYS", "31"))

# --- operations ------------------------------------------------------------------------------
# Who may read /metrics: each of the two that is set must hold; none set, nobody may.
PORTAL_METRICS_NETWORKS = os.environ.get("PORTAL_METRICS_NETWORKS", "").replace(",", " ").split()
PORTAL_METRICS_TOKEN_FILE = os.environ.get("PORTAL_METRICS_TOKEN_FILE", "")
# The folder in which the processes of this host add up what they count; empty at their start.
PORTAL_METRICS_DIR = os.environ.get("PORTAL_METRICS_DIR", "")
if PORTAL_METRICS_DIR:  # prometheus_client looks for its own variable when it is imported
    Path(PORTAL_METRICS_DIR).mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = PORTAL_METRICS_DIR
# The file that a finished backup leaves: its first line is the time (ISO 8601 with zone).
PORTAL_BACKUP_STAMP = os.environ.get("PORTAL_BACKUP_STAMP", "")
PORTAL_BACKUP_MAX_AGE = timedelta(hours=float(os.environ.get("PORTAL_BACKUP_MAX_AGE_H", "8")))
# Whether a configuration that nobody ever signed makes a module non-clinical (OP-005).
PORTAL_REQUIRE_SIGNED_CONFIGURATION = (
    os.environ.get("PORTAL_REQUIRE_SIGNED_CONFIGURATION", "no") == "yes"
)
# Whether web processes look at the signed configuration when they start, and from then on.
PORTAL_WATCH_CONFIGURATION = os.environ.get("PORTAL_WATCH_CONFIGURATION", "yes") == "yes"

# --- log -------------------------------------------------------------------------------------
PORTAL_LOG_DIR = os.environ.get("PORTAL_LOG_DIR", "")
PORTAL_SERVICE = os.environ.get("PORTAL_SERVICE", "web")
_handlers: dict[str, dict[str, object]] = {
    "console": {
        "class": "logging.StreamHandler",
        "formatter": "structured",
        "filters": ["request_id"],
    }
}
if PORTAL_LOG_DIR:
    _handlers["file"] = {
        "class": "logging.handlers.TimedRotatingFileHandler",
        "filename": str(Path(PORTAL_LOG_DIR) / f"{PORTAL_SERVICE}.log"),
        "when": "W0",  # weekly, four kept (TS-122)
        "backupCount": 4,
        "delay": True,
        "formatter": "structured",
        "filters": ["request_id"],
    }
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "portal.operations.logs.RequestIdFilter"}},
    "formatters": {"structured": {"()": "portal.operations.logs.JsonFormatter"}},
    "handlers": _handlers,
    "root": {"handlers": list(_handlers), "level": "INFO"},
    "loggers": {
        "axes": {"level": "WARNING"},
        "pgtrigger": {"level": "WARNING"},  # else a line a trigger at every migrate
        "hl7": {"level": "WARNING"},  # a library's message could quote a patient
        "pyhanko": {"level": "ERROR"},
        "pyhanko_certvalidator": {"level": "ERROR"},
    },
}
TEST_RUNNER = "django.test.runner.DiscoverRunner"
