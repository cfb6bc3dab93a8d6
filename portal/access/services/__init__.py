"""All that writes about access: grants, roles, groups, the directory, exceptions, reviews."""

from portal.access.authority import check_may_grant, needs_approval
from portal.access.services.directory import (
    DIRECTORY,
    end_directory_mapping,
    map_directory_group,
    sync_directory_roles,
)
from portal.access.services.exceptions import end_exception, grant_exception
from portal.access.services.grants import change_grant, end_grant, grant_role
from portal.access.services.groups import (
    add_member,
    create_group,
    end_group,
    remove_member,
    rename_group,
)
from portal.access.services.review import close_review, confirm_lines, open_review, revoke_line
from portal.access.services.roles import compose_role, role_code, sync_predefined_roles

__all__ = [
    "DIRECTORY",
    "add_member",
    "change_grant",
    "check_may_grant",
    "close_review",
    "compose_role",
    "confirm_lines",
    "create_group",
    "end_directory_mapping",
    "end_exception",
    "end_grant",
    "end_group",
    "grant_exception",
    "grant_role",
    "map_directory_group",
    "needs_approval",
    "open_review",
    "remove_member",
    "rename_group",
    "revoke_line",
    "role_code",
    "sync_directory_roles",
    "sync_predefined_roles",
]
