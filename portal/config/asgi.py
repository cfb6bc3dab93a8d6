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

application = ProtocolTypeRouter(
    {
        "http": pages,
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter([path("ws/live/", LiveConsumer.as_asgi())]))
        ),
    }
)
