"""Logging in, as people do: by the identity provider, or with a password and a code."""

from __future__ import annotations

import time
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import requests
from django.test import Client
from django.urls import reverse
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.accounts.models import User
from tests.support.factories import make_user

PASSWORD = "correct horse battery staple"


def http() -> requests.Session:
    """Plain HTTP to the loopback, whatever proxies the environment names."""
    session = requests.Session()
    session.trust_env = False
    return session


def ask_provider(client: Client, *, next_url: str = "/", **answer: str) -> str:
    """Go to the provider, answer its page (``sub=…`` or ``action="deny"``): where it sends us."""
    start = client.get(reverse("accounts:regional_id"), {"next": next_url})
    assert start.status_code == 302
    sent = http().post(start["Location"], data=answer, allow_redirects=False, timeout=10)
    assert sent.status_code == 302, sent.text
    address = urlsplit(sent.headers["Location"])
    return f"{address.path}?{address.query}"


def log_in_staff(client: Client, sub: str, *, next_url: str = "/") -> Any:
    """The whole code flow; the portal's answer to the provider's redirect."""
    return client.get(ask_provider(client, next_url=next_url, sub=sub))


def sign_in(client: Client, user: User) -> User:
    """A session as after a full log-in; for external people with a second factor."""
    if not user.is_external:
        client.force_login(user, backend="portal.accounts.backends.RegionalIdBackend")
        return user
    user.otp_device, _new = TOTPDevice.objects.get_or_create(user=user, confirmed=True)
    client.force_login(user, backend="portal.accounts.backends.ExternalAccountBackend")
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = user.otp_device.persistent_id
    session.save()
    return user


def make_external(name: str, **values: Any) -> User:
    """An external person with a password; the second factor is left to the test."""
    mail = f"{name.lower().replace(' ', '.')}@company.example"
    values = {"username": mail, "email": mail, "expires_on": date(2099, 1, 1)} | values
    user = make_user(name, kind="external", **values)
    user.set_password(PASSWORD)
    user.save()
    return user


def code_of(device: TOTPDevice, *, steps: int = 0) -> str:
    """What the authenticator app shows, ``steps`` × 30 s from now."""
    app = TOTP(device.bin_key, device.step, device.t0, device.digits)
    app.time = time.time() + device.step * steps
    return f"{app.token():06d}"


def wrong_code(device: TOTPDevice) -> str:
    """A code that is none of those around now."""
    right = {code_of(device, steps=steps) for steps in range(-5, 6)}
    return next(code for code in ("000000", *map(str, range(111111, 111200))) if code not in right)


def is_logged_in(client: Client) -> bool:
    """Whether the portal shows this client a page that needs a person."""
    return client.get(reverse("accounts:sessions")).status_code == 200
