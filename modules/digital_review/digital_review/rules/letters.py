"""Which letters there are to write about a review's outcome (DR-076)."""

from __future__ import annotations


def differs(local: str, *central: str) -> bool | None:
    """Whether the local pathologist's diagnosis is another than the review's.

    ``central``: the review's diagnosis by its code and in words; the local one may be given as
    either. None where nobody said what the local one is.
    """
    said = _plain(local)
    if not said:
        return None
    return said not in {_plain(each) for each in central}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
