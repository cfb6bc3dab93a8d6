"""Settings of a hospital's installation. Every secret comes from the environment or a file."""

from portal.config.settings.base import *

DEBUG = False
SECRET_KEY = (
    Path(os.environ["DJANGO_SECRET_KEY_FILE"]).read_text(encoding="ascii").strip()
    if "DJANGO_SECRET_KEY_FILE" in os.environ
    else os.environ["DJANGO_SECRET_KEY"]
)
ALLOWED_HOSTS = os.environ["PORTAL_ALLOWED_HOSTS"].split(",")
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SESSION_COOKIE_NAME = "__Host-portal"

# a backup that never ran, and a configuration that nobody signed, are told
PORTAL_BACKUP_STAMP = PORTAL_BACKUP_STAMP or str(STATE / "last-backup")
PORTAL_REQUIRE_SIGNED_CONFIGURATION = (
    os.environ.get("PORTAL_REQUIRE_SIGNED_CONFIGURATION", "yes") == "yes"
)

INSTALLED_APPS = installed_apps(PORTAL_MODULE_SETTINGS)
