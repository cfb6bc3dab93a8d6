"""Removal of personal data after their time (TS-022): the only physical delete in the portal."""

from __future__ import annotations

from django.db import connection, models, transaction

from portal.records.models import PurgeableRecord


def purge(queryset: models.QuerySet) -> int:
    """Delete the rows of a :class:`PurgeableRecord` queryset and their history; returns how many.

    The caller audits it. Raises TypeError for a model that is not purgeable; the database would
    refuse it anyway.
    """
    model = queryset.model
    if not issubclass(model, PurgeableRecord):
        msg = f"{model.__name__} is not purgeable"
        raise TypeError(msg)
    with transaction.atomic():
        keys = list(queryset.values_list("pk", flat=True))
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('portal.purge', 'on', true)")
        model.history.filter(id__in=keys)._raw_delete(using="default")  # noqa: SLF001
        model.all_objects.filter(pk__in=keys)._raw_delete(using="default")  # noqa: SLF001
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('portal.purge', 'off', true)")
    return len(keys)
