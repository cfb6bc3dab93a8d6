"""WSGI entry: pages, by workers with persistent database connections."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.config.settings.production")

application = get_wsgi_application()

from portal.operations.watch import watch_in_background  # noqa: E402 needs the apps that line above loads

watch_in_background()
