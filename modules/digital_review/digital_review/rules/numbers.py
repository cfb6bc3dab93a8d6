"""Patient numbers as people type them."""

from __future__ import annotations

import re

LONGEST = 30
_NUMBER = re.compile(r"[A-Z0-9][A-Z0-9._/-]*", re.ASCII)
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))


def clean_number(text: str) -> str:
    """``sk – 0042`` as ``SK-0042``: no spaces, capitals, one kind of dash."""
    return "".join(text.translate(_DASHES).split()).upper()


def number_faults(number: str) -> str:
    """Why a cleaned number is none (``empty``, ``too_long``, ``characters``); '' when it is one."""
    if not number:
        return "empty"
    if len(number) > LONGEST:
        return "too_long"
    return "" if _NUMBER.fullmatch(number) else "characters"
