"""What the base of every record must know of personal data; who may see it is access's matter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model

HIDDEN = "•••"


class Masked(str):
    """Shown instead of personal data. A text whatever the field is: nothing computes with it."""

    __slots__ = ()


_unmasked: ContextVar[bool] = ContextVar("unmasked", default=False)


@contextmanager
def unmasked() -> Iterator[None]:
    """Within the block personal data is what it is: for saving, and for rules that need it."""
    token = _unmasked.set(True)
    try:
        yield
    finally:
        _unmasked.reset(token)


def is_unmasked() -> bool:
    return _unmasked.get()


def personal_path(model: type[Model], lookup: str) -> bool:
    """Whether ``patient__name`` leads to a personal field."""
    field = None
    for name in lookup.split("__"):
        try:
            field = model._meta.get_field(name)  # noqa: SLF001
        except FieldDoesNotExist:
            break
        model = getattr(field, "related_model", None) or model
    return getattr(field, "personal", False)


def has_personal_fields(model: type[Model]) -> bool:
    return any(getattr(field, "personal", False) for field in model._meta.concrete_fields)  # noqa: SLF001
