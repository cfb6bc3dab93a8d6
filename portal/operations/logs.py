"""Structured logs: one JSON object a line, with the request's number (OP-004)."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from portal.records.context import current_act


class RequestIdFilter(logging.Filter):
    """Puts the number of the request (or task) at hand into each line."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_act().request_id
        return True


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", ""),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
