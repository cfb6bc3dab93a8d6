"""The stand-in of a patient registry: patients by number, forms by key.

``GET /patients/<number>``, ``GET`` and ``PUT /forms/<key>``, ``GET /health``. A PUT needs the
header ``Idempotency-Key``; the same one again changes nothing and says so.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from portal.connectors.stand_ins.example_data import patients
from portal.connectors.stand_ins.server import Answer, Asked


class Registry:
    """What it holds; with ``keep_in`` also after it was ended."""

    def __init__(self, keep_in: Path | None = None) -> None:
        self.patients: dict[str, dict[str, Any]] = patients()
        self.forms: dict[str, Any] = {}
        self.before: dict[str, Any] = {}
        """Each form as it was before it was last written."""
        self.taken: list[tuple[str, str]] = []
        """(form, idempotency key) of every write that changed something, in order."""
        self.repeats = 0
        self._keys: set[str] = set()
        self._keep_in = keep_in
        self._lock = threading.Lock()
        if keep_in is not None and keep_in.exists():
            kept = json.loads(keep_in.read_text(encoding="utf-8"))
            self.forms, self.before = kept["forms"], kept["before"]
            self.taken = [(form, key) for form, key in kept["taken"]]
            self._keys = {key for _form, key in self.taken}

    def __call__(self, asked: Asked) -> Answer:
        with self._lock:
            match asked.method, asked.parts:
                case "GET", ["health"]:
                    return Answer(200, {"works": True})
                case "GET", ["patients", number] if number in self.patients:
                    return Answer(200, self.patients[number])
                case "GET", ["forms", key]:
                    found = self.before if asked.stale and key in self.before else self.forms
                    return Answer(200, found[key]) if key in found else _nothing()
                case "PUT", ["forms", key]:
                    return self._take(key, asked.sent, asked.idempotency_key)
                case _:
                    return _nothing()

    def _take(self, key: str, sent: Any, idempotency_key: str) -> Answer:
        if not idempotency_key or not isinstance(sent, dict):
            return Answer(400, {"error": "a JSON object and an Idempotency-Key are needed"})
        if idempotency_key in self._keys:
            self.repeats += 1
            return Answer(200, {"taken": "before"})
        self.before[key] = self.forms.get(key, {})
        self.forms[key] = sent
        self.taken.append((key, idempotency_key))
        self._keys.add(idempotency_key)
        self._keep()
        return Answer(201, {"taken": "now"})

    def _keep(self) -> None:
        if self._keep_in is None:
            return
        unfinished = self._keep_in.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(
            json.dumps({"forms": self.forms, "before": self.before, "taken": self.taken}),
            encoding="utf-8",
        )
        unfinished.replace(self._keep_in)


def _nothing() -> Answer:
    return Answer(404, {"error": "there is nothing here"})
