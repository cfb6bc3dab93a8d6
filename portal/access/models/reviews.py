"""Exceptions for one object (PT-014), and the yearly review of who holds what (PT-017)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.access.models.roles import GroupMember, PeopleGroup, RoleGrant
from portal.organisation.models import Unit
from portal.records.models import Record


class ObjectException(Record):
    """One person holds one privilege on one object: the register of guardian's bare rows.

    Guardian's row is what decides; this one says since when, by whom and why. It names the object
    by texts, so that it can be read when the object's module is gone.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="object_exceptions"
    )
    privilege = models.CharField(_("privilege"), max_length=100)
    object_type = models.CharField(_("kind of object"), max_length=100)
    object_id = models.CharField(_("object"), max_length=100)
    object_repr = models.TextField(_("description"))
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, null=True, related_name="exceptions")
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta(Record.Meta):
        verbose_name = _("exception for one object")
        verbose_name_plural = _("exceptions for one object")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "privilege", "object_type", "object_id"],
                condition=Q(deleted_at__isnull=True),
                name="one_active_exception",
            )
        ]
        indexes = [models.Index(fields=["object_type", "object_id"])]

    def __str__(self) -> str:
        return f"{self.user}: {self.privilege} – {self.object_repr}"


class AccessReview(Record):
    """Once a year somebody goes through everything that is held at a unit and below it.

    It is signed off electronically (portal.operations.access_review) when each line is decided.
    """

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="access_reviews")
    place = models.TextField(_("unit"))
    due_on = models.DateField(_("to be signed off by"))
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    closed_at = models.DateTimeField(_("signed off"), null=True, editable=False)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    remark = models.TextField(_("remark"), blank=True)

    class Meta(Record.Meta):
        verbose_name = _("access review")
        verbose_name_plural = _("access reviews")
        constraints = [
            models.UniqueConstraint(
                fields=["unit"],
                condition=Q(deleted_at__isnull=True, closed_at__isnull=True),
                name="one_open_review_of_a_unit",
            )
        ]

    def __str__(self) -> str:
        return f"{self.place} {self.created_at:%Y-%m-%d}"


class ReviewLine(Record):
    """One thing that somebody holds, as it was when the review was opened, and what was decided.

    The texts are what was signed off; the references are for acting on it.
    """

    class Decision(models.TextChoices):
        OPEN = "", _("to be decided")
        CONFIRMED = "confirmed", _("confirmed")
        REVOKED = "revoked", _("revoked")
        ENDED = "ended", _("ended meanwhile")

    review = models.ForeignKey(AccessReview, on_delete=models.PROTECT, related_name="lines")
    grant = models.ForeignKey(RoleGrant, on_delete=models.PROTECT, null=True, related_name="+")
    exception = models.ForeignKey(
        ObjectException, on_delete=models.PROTECT, null=True, related_name="+"
    )
    member = models.ForeignKey(GroupMember, on_delete=models.PROTECT, null=True, related_name="+")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    group = models.ForeignKey(PeopleGroup, on_delete=models.PROTECT, null=True, related_name="+")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    place = models.TextField(_("at the unit"))
    holder = models.TextField(_("who"))
    held = models.TextField(_("holds"))
    details = models.TextField(_("how"), blank=True)
    since = models.DateField(_("since"))
    granted_by = models.TextField(_("granted by"), blank=True)
    last_act_at = models.DateTimeField(
        _("last logged act in the module"),
        null=True,
        help_text=_("Newest entry about the module's records in access log or audit trail."),
    )
    last_seen_at = models.DateTimeField(_("last seen in the portal"), null=True)
    decision = models.CharField(
        _("decision"), max_length=10, choices=Decision.choices, default=Decision.OPEN, blank=True
    )
    reason = models.TextField(_("reason"), blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(_("decided"), null=True)

    class Meta(Record.Meta):
        verbose_name = _("line of an access review")
        constraints = [
            models.CheckConstraint(
                condition=Q(grant__isnull=False, exception__isnull=True, member__isnull=True)
                | Q(grant__isnull=True, exception__isnull=False, member__isnull=True)
                | Q(grant__isnull=True, exception__isnull=True, member__isnull=False),
                name="review_line_of_one_thing",
            ),
            models.UniqueConstraint(
                fields=["review", "grant", "exception", "member"],
                nulls_distinct=False,
                name="reviewed_once",
            ),
        ]
        indexes = [models.Index(fields=["review", "decision"])]

    def __str__(self) -> str:
        return f"{self.holder}: {self.held} – {self.place}"
