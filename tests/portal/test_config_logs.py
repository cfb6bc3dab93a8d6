"""Each service writes a log of its own, rotated weekly, four kept (TS-122)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WRITES_AND_ROTATES = """
import logging
import django
django.setup()
(handler,) = [h for h in logging.getLogger().handlers if hasattr(h, "doRollover")]
print(handler.when, handler.dayOfWeek, handler.backupCount)
for week in range(7):
    logging.getLogger("portal.test").warning("week %d", week)
    handler.rolloverAt -= 7 * 24 * 3600 * (7 - week)
    handler.doRollover()
logging.getLogger("portal.test").warning("now")
"""


@pytest.mark.requirement("TS-122")
@pytest.mark.parametrize("service", ["web", "hl7-listener", "worker"])
def test_a_service_s_log_is_rotated_weekly_and_four_are_kept(tmp_path: Path, service: str) -> None:
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.config.settings.test",
        "PORTAL_LOG_DIR": str(tmp_path),
        "PORTAL_SERVICE": service,
    }
    ran = subprocess.run(
        [sys.executable, "-c", WRITES_AND_ROTATES],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["W0", "0", "4"]
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept[0] == f"{service}.log"
    assert len(kept) == 1 + 4
    (line,) = (tmp_path / f"{service}.log").read_text().splitlines()
    assert json.loads(line)["message"] == "now"
