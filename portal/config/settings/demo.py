"""Settings of `make demo`: everything on one machine, with a stand-in identity provider."""

from portal.config.settings.base import *

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
PORTAL_DEMO = True

_secret = STATE / "keys" / "django-secret"
if "DJANGO_SECRET_KEY" in os.environ:
    SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
else:
    from django.core.management.utils import get_random_secret_key

    if not _secret.exists():
        _secret.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _secret.write_text(get_random_secret_key())
        _secret.chmod(0o600)
    SECRET_KEY = _secret.read_text()

OIDC_OP_ISSUER = os.environ.get("OIDC_ISSUER", "http://127.0.0.1:9400")
OIDC_OP_AUTHORIZATION_ENDPOINT = f"{OIDC_OP_ISSUER}/oauth2/authorize"
OIDC_OP_TOKEN_ENDPOINT = f"{OIDC_OP_ISSUER}/oauth2/token"
OIDC_OP_USER_ENDPOINT = f"{OIDC_OP_ISSUER}/userinfo"
OIDC_OP_JWKS_ENDPOINT = f"{OIDC_OP_ISSUER}/jwks"
OIDC_RP_CLIENT_SECRET = "demo"
OIDC_VERIFY_KID = False  # the stand-in provider's tokens carry no key id
# the redirect to the stand-in provider is a form's answer
CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] = [SELF, OIDC_OP_ISSUER]

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = STATE / "mail"

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
SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W008", "security.W012", "security.W016"]
