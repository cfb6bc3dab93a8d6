"""Outside systems for tests: the stand-ins as servers, and the settings that name them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.connectors.stand_ins.laboratory import Laboratory
from portal.connectors.stand_ins.registry import Registry
from portal.connectors.stand_ins.server import StandIn

TOKEN = "stand-in-token"


@dataclass
class Outside:
    """Both stand-ins, running."""

    registry: StandIn
    laboratory: StandIn
    patients: Registry
    folder: Path

    def tables(self, **changes: Any) -> dict[str, Any]:
        """What ``PORTAL_OUTSIDE_SYSTEMS`` holds; ``changes`` go to both tables."""
        secret = self.folder / "token"
        secret.write_text(TOKEN, encoding="utf-8")
        common = {
            "kind": "http_json",
            "auth": "bearer",
            "secret_file": str(secret),
            "probe": "health",
            "connect_timeout_s": 1.0,
            "read_timeout_s": 1.0,
            **changes,
        }
        return {
            "registry": {
                **common,
                "label": "Registry",
                "address": self.registry.url,
                "resources": {
                    "patient": {"read": "patients/{key}", "keep_fresh_s": 3600.0},
                    "form": {"read": "forms/{key}", "write": "forms/{key}"},
                },
            },
            "laboratory": {
                **common,
                "label": "Laboratory",
                "address": self.laboratory.url,
                "read_only": True,
                "resources": {"results": {"read": "results/{key}", "keep_fresh_s": 3600.0}},
            },
        }

    def write_toml(self, **changes: Any) -> Path:
        """The same as a file, for processes of their own."""
        lines = []
        for code, table in self.tables(**changes).items():
            resources = table.pop("resources")
            lines += [f"[{code}]", *_lines(table)]
            for name, values in resources.items():
                lines += [f"[{code}.resources.{name}]", *_lines(values)]
        path = self.folder / "outside.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path


def _lines(table: dict[str, Any]) -> list[str]:
    return [
        f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
        for name, value in table.items()
    ]


@contextmanager
def outside_systems(folder: Path, *, slow_s: float = 3.0) -> Generator[Outside, None, None]:
    """Both stand-ins on free ports; a slow answer takes ``slow_s``."""
    patients = Registry()
    registry = StandIn("registry", patients, TOKEN, slow_s=slow_s)
    laboratory = StandIn("laboratory", Laboratory(), TOKEN, slow_s=slow_s)
    registry.start()
    laboratory.start()
    try:
        yield Outside(registry, laboratory, patients, folder)
    finally:
        registry.stop()
        laboratory.stop()
