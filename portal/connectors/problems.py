"""Why an outside system gave no answer: one error type, and words for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy as _


class Code(StrEnum):
    """What went wrong, as stable codes."""

    AWAY = "away"
    SLOW = "slow"
    HALF = "half"
    WRONG = "wrong"
    CREDENTIALS = "credentials"
    FAILED = "failed"
    REFUSED = "refused"
    OPEN = "open"
    CONFIGURATION = "configuration"


_WORDS: dict[Code, Any] = {
    Code.AWAY: _("It cannot be reached."),
    Code.SLOW: _("It did not answer in time."),
    Code.HALF: _("Its answer broke off."),
    Code.WRONG: _("Its answer cannot be understood."),
    Code.CREDENTIALS: _("It does not accept the portal's credentials."),
    Code.FAILED: _("It answered that it failed."),
    Code.REFUSED: _("It refused what was sent."),
    Code.OPEN: _("It has failed several times and is asked again in a while."),
    Code.CONFIGURATION: _("The portal's connection with it is not set up."),
}


@dataclass(frozen=True)
class Problem:
    """``detail`` is technical, English, and holds neither secrets nor anything about patients."""

    code: Code
    detail: str = ""

    @property
    def words(self) -> str:
        """A sentence in the reader's language; its subject is the outside system."""
        return str(_WORDS[self.code])

    def __str__(self) -> str:
        return self.words


class OutsideFailure(Exception):  # noqa: N818 what the other side did is no error of ours
    """The one error that kinds raise. REFUSED: the system works, and does not want this."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.problem = Problem(code, detail[:500])
