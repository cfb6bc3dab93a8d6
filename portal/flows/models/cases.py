"""Cases in a flow: what the modules' own tables of them have in common.

A module subclasses `FlowCase` (its patient's review, its subject's visit) and `Passage` (with a
foreign key ``case`` to it), and uses `portal.flows.services.cases`.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.flows.models.designs import FlowVersion
from portal.flows.rules.running import Position
from portal.records.models import Record


class FlowCase(Record):
    """Where a case stands, on the version of its flow on which it is conducted."""

    flow_version = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, related_name="+")
    flow_state = models.CharField(_("state"), max_length=64, db_index=True)
    flow_since = models.DateTimeField(_("since"))
    flow_timers = models.JSONField(default=dict)
    """Running timer to the moment it started, ISO 8601."""
    flow_due_at = models.DateTimeField(_("next timer"), null=True, blank=True, db_index=True)
    """When the first of them runs out."""

    class Meta(Record.Meta):
        abstract = True

    @property
    def position(self) -> Position:
        timers = tuple(
            (code, datetime.fromisoformat(since)) for code, since in self.flow_timers.items()
        )
        return Position(self.flow_state, self.flow_since, timers)


class Passage(Record):
    """One step of a case: from where to where, by whom or by which timer, and why."""

    flow_version = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, related_name="+")
    transition = models.CharField(_("transition"), max_length=64, blank=True)
    """Empty: the beginning, or a move to another version."""
    from_state = models.CharField(_("from"), max_length=64, blank=True)
    to_state = models.CharField(_("to"), max_length=64)
    forced = models.BooleanField(_("forced"), default=False)
    timer = models.CharField(_("timer"), max_length=64, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    missing = models.JSONField(_("what was missing"), default=list)
    """Of a forced one: what was not there yet, in words (DR-102)."""
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    taken_at = models.DateTimeField(_("taken"), default=timezone.now)

    class Meta(Record.Meta):
        abstract = True
        ordering = ("taken_at", "pk")
