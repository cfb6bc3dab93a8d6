"""Files as the dispensers write them, to be copied one folder up and seen arriving."""

from __future__ import annotations

from django.utils import timezone

from tracershop.demo.dispensing import next_vials
from tracershop.demo.shop import Shop
from tracershop.interfaces.dispenser_writer import write_csv, write_val
from tracershop.services.dispenser import watched_folder

FOLDER = "examples"


def write_example_files(shop: Shop) -> None:
    """``examples/`` of the watched folder: a VAL file and a table, of today, anew at each start."""
    folder = watched_folder() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    now = timezone.now()
    first, second = next_vials(shop, now)
    stamp = f"{timezone.localtime(now):%y%m%d-%H%M%S}"
    (folder / f"VAL{stamp}.txt").write_bytes(write_val(first))
    (folder / f"dispenser-{stamp}.csv").write_bytes(write_csv([second]))
