"""One change of the tree at a time: two moves at once could make a circle of two branches."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from portal.organisation.models import Unit
from portal.records.errors import Refused
from portal.records.services import locked


def lock_tree() -> None:
    """Until the transaction ends nobody else changes the tree's shape; reading goes on."""
    roots = Unit.all_objects.filter(depth=1).select_for_update(no_key=True, of=("self",))
    list(roots.order_by("pk"))


def lock_open_unit(unit: Unit) -> Unit:
    """The unit as it is now, locked: what is begun here neither misses its closing nor its move.

    Raises Refused: ``closed``, ``gone``.
    """
    found = locked(Unit.objects.all(), unit.pk)
    if not found.is_open:
        raise Refused(
            _("%(unit)s is closed: nothing new begins there.") % {"unit": found}, code="closed"
        )
    return found
