"""Audit trail and access log (PT-023): append-only, chained, readable when a module is gone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.audit.chain import ACCESS, TRAIL, chained
from portal.records.models import append_only


class Entry(models.Model):
    """One line of a log. It holds texts and plain numbers, no references: it must outlive all."""

    at = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    actor_id = models.BigIntegerField(_("person number"), null=True, db_index=True)
    actor_name = models.TextField(_("person"), default="")
    acting_as = models.TextField(_("acting as"), default="", db_default="", blank=True)
    service = models.TextField(_("service"), default="", blank=True)
    action = models.CharField(_("act"), max_length=100, db_index=True)
    object_type = models.CharField(_("kind of object"), max_length=100, default="", blank=True)
    object_id = models.CharField(_("object"), max_length=100, default="", blank=True)
    object_repr = models.TextField(_("description"), default="", blank=True)
    patient = models.TextField(_("patient"), default="", blank=True)
    reason = models.TextField(_("reason"), default="", blank=True)
    data = models.JSONField(_("data"), default=dict, blank=True)
    request_id = models.CharField(_("request"), max_length=64, default="", blank=True)
    address = models.CharField(_("from address"), max_length=64, default="", blank=True)

    class Meta:
        abstract = True
        ordering = ("-id",)
        indexes = [models.Index(fields=["object_type", "object_id"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor_name} {self.action} {self.object_repr}"


class AuditEntry(Entry):
    """A significant act: permanent."""

    class Meta(Entry.Meta):
        verbose_name = _("audit trail entry")
        verbose_name_plural = _("audit trail")
        triggers = [*append_only(), chained(TRAIL)]


class AccessEntry(Entry):
    """Who created, opened, changed, exported, signed or printed what."""

    class Meta(Entry.Meta):
        verbose_name = _("access log entry")
        verbose_name_plural = _("access log")
        indexes = [
            *Entry.Meta.indexes,
            # most entries name no patient
            models.Index(fields=["patient"], condition=~Q(patient=""), name="access_of_patient"),
        ]
        triggers = [*append_only(), chained(ACCESS)]


class ChainLink(models.Model):
    """One link of a chain, written by the database when the entry's transaction commits."""

    chain = models.CharField(max_length=10)
    seq = models.BigIntegerField()
    entry_id = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain", "seq"], name="chain_seq_once"),
            models.UniqueConstraint(fields=["chain", "entry_id"], name="chain_entry_once"),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.chain} {self.seq}"


class Verification(models.Model):
    """The outcome of a verification run; ``partial``: of a run that is not finished."""

    at = models.DateTimeField(default=timezone.now)
    chain = models.CharField(max_length=10)
    from_seq = models.BigIntegerField(default=1)
    to_seq = models.BigIntegerField(default=0)
    head_hash = models.CharField(max_length=64, default="", blank=True)
    entries = models.BigIntegerField()
    faults = models.JSONField(default=list)
    partial = models.BooleanField(default=False)

    class Meta:
        ordering = ("-at", "-pk")
        indexes = [models.Index(fields=["chain", "-at"], name="verification_newest")]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.chain} {self.at:%Y-%m-%d %H:%M} {len(self.faults)} faults"
