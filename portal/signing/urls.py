from __future__ import annotations

from django.urls import path

from portal.signing.views import administration, own, passkeys

app_name = "signing"

urlpatterns = [
    path("", own.own, name="own"),
    path("set/", own.set_pin, name="set_pin"),
    path("change/", own.change_pin, name="change_pin"),
    path("revoke/<slug:key_id>/", own.revoke_key, name="revoke_key"),
    path("log-in-again/", own.log_in_again, name="log_in_again"),
    path("passkeys/options/", passkeys.options, name="passkey_options"),
    path("passkeys/register/", passkeys.register, name="register_passkey"),
    path("passkeys/<slug:key_id>/revoke/", passkeys.revoke, name="revoke_passkey"),
    path("keys/", administration.keys, name="keys"),
    path("keys/<slug:key_id>/revoke/", administration.revoke, name="revoke_other"),
    path("verification/", administration.verification, name="verification"),
]
