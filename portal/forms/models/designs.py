"""Designs and their versions: draft → published → retired; a published one never changes."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.access.policies import AccessPolicy, ByUnit
from portal.organisation.models import Unit
from portal.records.models import BareRecord, Record

NEVER_CHANGES = pgtrigger.Trigger(
    name="published_never_changes",
    operation=pgtrigger.Update,
    when=pgtrigger.Before,
    condition=pgtrigger.Q(old__state__in=["published", "retired"]),
    func="""
        IF NEW.content IS DISTINCT FROM OLD.content OR NEW.number <> OLD.number
           OR NEW.design_id <> OLD.design_id OR NEW.state = 'draft'
        THEN
            RAISE EXCEPTION 'portal: a published version never changes'
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    """,
)


class Design(Record):
    """What is designed: a form, a flow. Its content is in its versions."""

    area = models.CharField(_("used by"), max_length=60)
    """The code of the `DesignArea` that a module declares."""
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(_("code"), max_length=64)
    title = models.CharField(_("title"), max_length=200)

    class Meta(Record.Meta):
        abstract = True
        ordering = ("title", "pk")

    def __str__(self) -> str:
        return self.title


class DesignVersion(Record):
    """One version of a design. ``content`` is what its rules read and write as JSON."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PUBLISHED = "published", _("Published")
        RETIRED = "retired", _("Retired")

    number = models.PositiveIntegerField(_("version"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.DRAFT)
    content = models.JSONField(default=dict)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True)

    class Meta(Record.Meta):
        abstract = True
        ordering = ("design_id", "-number")

    def __str__(self) -> str:
        return f"{self.design} {self.number}"  # type: ignore[attr-defined]


def version_constraints(name: str) -> list[models.BaseConstraint]:
    """A number once, and one draft at a time."""
    return [
        models.UniqueConstraint(fields=["design", "number"], name=f"{name}_number_once"),
        models.UniqueConstraint(
            fields=["design"],
            condition=Q(state="draft", deleted_at__isnull=True),
            name=f"{name}_one_draft",
        ),
        models.CheckConstraint(
            condition=Q(state="draft") | Q(published_at__isnull=False),
            name=f"{name}_published_when",
        ),
    ]


def design_constraints(name: str) -> list[models.BaseConstraint]:
    return [
        models.UniqueConstraint(
            fields=["unit", "code"],
            condition=Q(deleted_at__isnull=True),
            name=f"{name}_code_once",
        )
    ]


def design_policy(design: str, publish: str, unit: str) -> AccessPolicy:
    """Who designs looks at designs of the units where they hold it, and below."""
    here = ByUnit(unit)
    return AccessPolicy(view=(design,), scopes={design: here, publish: here})


DESIGN_FORMS, PUBLISH_FORMS = "forms.design_forms", "forms.publish_forms"


class FormDesign(Design):
    access = design_policy(DESIGN_FORMS, PUBLISH_FORMS, "unit")

    class Meta(Design.Meta):
        verbose_name = _("form")
        verbose_name_plural = _("forms")
        constraints = design_constraints("form")


class FormVersion(DesignVersion):
    design = models.ForeignKey(FormDesign, on_delete=models.PROTECT, related_name="versions")
    outside = models.JSONField(default=dict)
    """Names beyond the form that its rules may read, as they were when it was published."""

    access = design_policy(DESIGN_FORMS, PUBLISH_FORMS, "design__unit")

    class Meta(DesignVersion.Meta):
        verbose_name = _("version of a form")
        verbose_name_plural = _("versions of forms")
        constraints = version_constraints("form_version")
        triggers = [*BareRecord.Meta.triggers, NEVER_CHANGES]
