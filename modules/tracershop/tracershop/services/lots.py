"""The locks of lots: who releases from one, and who judges it, wait for each other.

Whoever needs several kinds of lock takes them in one order, so that nobody waits in a circle:
lots, then batches, orders, vials, certifications; of each kind in the order of the keys.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

# First key of the advisory locks of lots; the portal's own are 7301 to 7303.
_LOT_LOCKS = 7304


def hold_verdicts(lots: Collection[str]) -> None:
    """Until the transaction ends nobody judges these lots: what is read of them from now on stays.

    An advisory lock, for a lot that has no verdict yet has no row that could be locked.
    """
    with connection.cursor() as cursor:
        for lot in sorted(set(lots)):
            cursor.execute(
                "SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s))", [_LOT_LOCKS, lot]
            )


def wait_for_releases(lot: str) -> None:
    """Until every release that has read the verdict on this lot is through; then none begins until
    the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOT_LOCKS, lot])
