"""WSGI entry: pages, by workers with persistent database connections."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.config.settings.production")

application = get_wsgi_application()
