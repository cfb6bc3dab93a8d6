"""ASGI entry: pages by Django, ``/ws/`` by channels."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.config.settings.production")

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

pages = get_asgi_application()

from portal.live.consumer import LiveConsumer  # noqa: E402 needs the apps that line above loads
from portal.operations.watch import watch_in_background  # noqa: E402 as well

watch_in_background()

application = ProtocolTypeRouter(
    {
        "http": pages,
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter([path("ws/live/", LiveConsumer.as_asgi())]))
        ),
    }
)
