"""Changing the tree and saying who belongs where (PT-010). Each act is for who may change every
unit that it concerns, is audited with its reason, and keeps the history."""

from portal.organisation.services.closing import close_unit, reopen_unit
from portal.organisation.services.members import add_member, change_member, end_member
from portal.organisation.services.merging import merge_units
from portal.organisation.services.tree import change_unit, create_unit, move_unit

__all__ = [
    "add_member",
    "change_member",
    "change_unit",
    "close_unit",
    "create_unit",
    "end_member",
    "merge_units",
    "move_unit",
    "reopen_unit",
]
