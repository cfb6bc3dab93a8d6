"""People who log in, their sessions, and the way to an account (PT-001 to PT-004)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.access.models import Profile, Role
from portal.access.policies import AccessPolicy, Anywhere, ByUnit
from portal.accounts.reach import MANAGE, OWN, PEOPLE, SESSIONS, ExternalOfUnit
from portal.accounts.rules import OPEN, RequestFacts, RequestState
from portal.organisation.models import Unit
from portal.records.models import AppendOnlyHistory, BareRecord, Record


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
    warned_at = models.DateTimeField(_("warned of suspension"), null=True, blank=True)
    emergency = models.BooleanField(
        _("local administrator"),
        default=False,
        help_text=_("Kept for when the login service is down; never suspended for not being used."),
    )
    managed_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="managed"
    )

    # a hash of a password and the time of every click are no part of a record's history
    history = AppendOnlyHistory(
        excluded_fields=["password", "last_login", "last_seen_at", "warned_at", "is_superuser"]
    )

    # staff are the directory's and belong to no unit of ours: a house-wide privilege reaches them
    access = AccessPolicy(
        view=(MANAGE, PEOPLE, SESSIONS),
        scopes={MANAGE: ExternalOfUnit(), PEOPLE: Anywhere(), SESSIONS: Anywhere()},
    )

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
            models.CheckConstraint(
                condition=Q(emergency=False) | Q(kind="external"),
                name="local_administrators_are_not_the_directorys",
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
    def awaits_approval(self) -> bool:
        """Made for a request that nobody has approved: no link is sent, nobody can log in."""
        return self.is_external and not self.is_active and self.suspended_at is None

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
    provider_session = models.CharField(max_length=255, blank=True, db_index=True)
    """What the login service calls the session: OpenID Connect's ``sid``, or the CAS ticket."""

    class Meta:
        ordering = ("-last_seen_at",)

    def __str__(self) -> str:
        return f"{self.user} {self.started_at:%Y-%m-%d %H:%M}"


class UsedLogoutToken(models.Model):
    """A logout token that was acted on, by a digest of its number: it works once."""

    digest = models.CharField(max_length=64, unique=True)
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.digest


_OPEN = [state.value for state in OPEN]


class AccountRequest(Record):
    """Somebody's way to an account, or to more roles, in five steps (PT-003, CD-040).

    The person asks, the owner applies, an administrator creates, the owner approves, and only then
    is there anything to log in with.
    """

    class State(models.TextChoices):
        REQUESTED = RequestState.REQUESTED.value, _("asked for")
        APPLIED = RequestState.APPLIED.value, _("applied for")
        CREATED = RequestState.CREATED.value, _("set up, to be checked")
        APPROVED = RequestState.APPROVED.value, _("approved")
        REFUSED = RequestState.REFUSED.value, _("refused")
        WITHDRAWN = RequestState.WITHDRAWN.value, _("withdrawn")

    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.REQUESTED
    )
    module = models.CharField(pgettext_lazy("module", "for"), max_length=50)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="account_requests")
    wish = models.TextField(_("what it is needed for"))
    requester = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="requests_made", verbose_name=_("asked by")
    )
    person = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="requests_about",
        help_text=_("Empty until there is an account."),
    )
    name = models.CharField(_("name"), max_length=200)
    email = models.EmailField(_("mail"), blank=True)
    expires_on = models.DateField(_("last day of the account"), null=True, blank=True)
    below = models.BooleanField(_("also below the unit"), default=True)
    roles_end_on = models.DateField(_("roles until"), null=True, blank=True)
    owner = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    administrator = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    administrator_profile = models.ForeignKey(
        Profile, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    access = AccessPolicy(view=(OWN, MANAGE), scopes={OWN: ByUnit("unit"), MANAGE: ByUnit("unit")})

    class Meta(Record.Meta):
        verbose_name = _("request for an account")
        verbose_name_plural = _("requests for accounts")
        constraints = [
            models.UniqueConstraint(
                fields=["person", "module", "unit"],
                condition=Q(deleted_at__isnull=True, state__in=_OPEN, person__isnull=False),
                name="one_open_request_for_a_person",
            ),
            models.UniqueConstraint(
                fields=["email", "module", "unit"],
                condition=Q(deleted_at__isnull=True, state__in=_OPEN, person__isnull=True),
                name="one_open_request_for_a_mail_address",
            ),
        ]
        indexes = [models.Index(fields=["state"])]

    def __str__(self) -> str:
        return f"{self.name} – {self.unit}"

    @property
    def facts(self) -> RequestFacts:
        """What the rules decide by."""
        return RequestFacts(
            state=RequestState(self.state),
            requester=self.requester_id,
            subject=self.person_id,
            owner=self.owner_id,
            administrator=self.administrator_id,
        )


class RequestedRole(Record):
    """A role that the owner applied for."""

    request = models.ForeignKey(AccountRequest, on_delete=models.PROTECT, related_name="asked")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="+")

    class Meta(Record.Meta):
        verbose_name = _("requested role")
        constraints = [
            models.UniqueConstraint(
                fields=["request", "role"],
                condition=Q(deleted_at__isnull=True),
                name="a_role_once_in_a_request",
            )
        ]

    def __str__(self) -> str:
        return f"{self.request}: {self.role}"
