"""pytest plugin for a module's own tests: the portal's test support.

In the module's pyproject.toml: `addopts = "-p portal.operations.module_testing"`.

Real PostgreSQL and Redis, factories and log-ins are in ``tests/support`` of the portal's sources,
beside the package from which the portal is installed (``pip install -e``). They are no part of what
is installed in a hospital, and neither is this.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import portal

SOURCES = Path(portal.__file__).resolve().parents[1]

if not (SOURCES / "tests" / "support").is_dir():
    raise ImportError(
        f"The portal is installed from {SOURCES}, where its tests/support is not."
        " Install it from its sources: pip install -e /path/to/the/portal"
    )
# first, so that `tests.support` is the portal's whatever else is called tests
if sys.path[:1] != [str(SOURCES)]:
    sys.path.insert(0, str(SOURCES))


def _fixtures() -> str:
    """The portal's own conftest.py, under a name that a module's conftest.py does not have."""
    name = "portal_tests_conftest"
    spec = importlib.util.spec_from_file_location(name, SOURCES / "tests" / "conftest.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{SOURCES}/tests/conftest.py cannot be read")
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return name


pytest_plugins = ["tests.support.services", "tests.support.requirements", _fixtures()]
