"""What a rule says when something is not as it should be: a code and the facts behind it.

Rules never build sentences. A template chooses the words for the code, in the reader's language,
and fills in the facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

Facts = Mapping[str, object]
Ref = int | str  # how a rule names a record it knows nothing more of: a primary key, or a code

CodeT = TypeVar("CodeT", bound=StrEnum)


@dataclass(frozen=True)
class Finding(Generic[CodeT]):
    """One thing found: `code` for the template, the audit trail and the confirmation;
    `facts` (dates, amounts, keys) for the words."""

    code: CodeT
    facts: Facts = field(default_factory=dict, hash=False)
