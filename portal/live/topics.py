"""Who may listen to what: every topic is declared by a module with its authorisation."""

from __future__ import annotations

import re
from typing import Any

from django.utils.module_loading import import_string

from portal.registry import registry


def may_listen(user: Any, topic: str) -> bool:
    """Deny by default: a topic that no module declares is refused, like an anonymous person."""
    if not (user.is_authenticated and user.is_active):
        return False
    for declared in registry.live_topics():
        match = re.fullmatch(declared.pattern, topic)
        if match:
            return bool(import_string(declared.authorise)(user, **match.groupdict()))
    return False
