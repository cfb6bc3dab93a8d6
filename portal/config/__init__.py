"""How the portal is put together: settings, urls, ASGI, WSGI and Celery."""

from portal.config.celery import app as celery

__all__ = ["celery"]
