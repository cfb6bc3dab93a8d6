"""People who log in, and their sessions (PT-001, PT-002, PT-004)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.policies import AccessPolicy
from portal.accounts.reach import MANAGE, ExternalOfUnit
from portal.records.models import AppendOnlyHistory, BareRecord


class UserManager(BaseUserManager):
    def get_queryset(self) -> Any:
        return super().get_queryset().filter(deleted_at__isnull=True)

    def get_by_natural_key(self, username: str) -> Any:
        return self.get(username=username)


class AllUsers(BaseUserManager):
    """Every user, soft-deleted ones too."""


class User(BareRecord, AbstractBaseUser, PermissionsMixin):
    """A person. Staff come from the directory by OpenID Connect; external people are made here."""

    class Kind(models.TextChoices):
        STAFF = "staff", _("staff (regional ID)")
        EXTERNAL = "external", _("external account")

    username = models.CharField(
        _("user name"), max_length=150, unique=True, help_text=_("Regional ID, or mail address.")
    )
    subject = models.CharField(_("subject"), max_length=255, null=True, blank=True, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=200)
    email = models.EmailField(_("mail"), blank=True)
    title = models.CharField(_("title"), max_length=200, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    expires_on = models.DateField(_("expires on"), null=True, blank=True)
    suspended_at = models.DateTimeField(_("suspended"), null=True, blank=True)
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)
    managed_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="managed"
    )

    # a hash of a password and the time of every click are no part of a record's history
    history = AppendOnlyHistory(
        excluded_fields=["password", "last_login", "last_seen_at", "is_superuser"]
    )

    # nobody looks through staff here: they are the directory's
    access = AccessPolicy(view=(MANAGE,), scopes={MANAGE: ExternalOfUnit()})

    objects = UserManager()
    all_objects = AllUsers()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta(BareRecord.Meta):
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="staff") | Q(subject__isnull=True),
                name="external_accounts_have_no_subject",
            ),
            models.CheckConstraint(
                condition=Q(kind="staff") | Q(expires_on__isnull=False),
                name="external_accounts_expire",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.username

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name.split(" ")[0]

    @property
    def is_external(self) -> bool:
        return self.kind == self.Kind.EXTERNAL

    @property
    def is_staff(self) -> bool:
        """Wagtail's and Django's word for one who may enter the administration at all."""
        return self.is_superuser


class LoginSession(models.Model):
    """One log-in of one person on one device; the key is Django's session key."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="login_sessions"
    )
    session_key = models.CharField(max_length=40, unique=True)
    started_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=64, blank=True)
    device = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("-last_seen_at",)

    def __str__(self) -> str:
        return f"{self.user} {self.started_at:%Y-%m-%d %H:%M}"
