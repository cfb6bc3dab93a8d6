"""Roles, profiles, groups and grants; exceptions for one object; the yearly review of them all."""

from portal.access.models.reviews import AccessReview, ObjectException, ReviewLine
from portal.access.models.roles import (
    DirectoryGroup,
    GroupMember,
    NamedPeople,
    PeopleGroup,
    Profile,
    Role,
    RoleGrant,
)

__all__ = [
    "AccessReview",
    "DirectoryGroup",
    "GroupMember",
    "NamedPeople",
    "ObjectException",
    "PeopleGroup",
    "Profile",
    "ReviewLine",
    "Role",
    "RoleGrant",
]
