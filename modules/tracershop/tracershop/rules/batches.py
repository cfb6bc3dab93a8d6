"""The life of a batch: its quality control, and from which verdict which may follow (TS-046)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from tracershop.rules.findings import Finding
from tracershop.rules.moments import as_utc, minutes_after
from tracershop.rules.release import BatchStatus

WAYS: Mapping[BatchStatus, frozenset[BatchStatus]] = MappingProxyType(
    {
        BatchStatus.QUARANTINE: frozenset(
            {
                BatchStatus.CONDITIONALLY_RELEASED,
                BatchStatus.RELEASED,
                BatchStatus.REJECTED,
                BatchStatus.RECALLED,
            }
        ),
        BatchStatus.CONDITIONALLY_RELEASED: frozenset(
            {BatchStatus.RELEASED, BatchStatus.REJECTED, BatchStatus.RECALLED}
        ),
        # a test that is read late, such as sterility, may still condemn it
        BatchStatus.RELEASED: frozenset({BatchStatus.REJECTED, BatchStatus.RECALLED}),
        # No verdict undoes a rejection: who could undo it would be asked to. What left the house
        # before is called back, and that is the one way on.
        BatchStatus.REJECTED: frozenset({BatchStatus.RECALLED}),
        # customers have been told to throw it away: nobody can take that back
        BatchStatus.RECALLED: frozenset(),
    }
)
RELEASING = frozenset({BatchStatus.CONDITIONALLY_RELEASED, BatchStatus.RELEASED})
VERDICTS = RELEASING | {BatchStatus.REJECTED}
"""What a verdict can say; a recall is an act of its own."""


class Stage(StrEnum):
    """Before which release a test must have passed."""

    CONDITIONAL = "conditional"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """A test of the batch: `passed` None while it has no result. `listed` False for one that the
    tracer's list no longer has: its result still counts, its absence does not."""

    __test__ = False  # no test case for pytest

    name: str
    stage: Stage
    passed: bool | None = None
    listed: bool = True


class VerdictObstacleCode(StrEnum):
    NOT_FROM_HERE = "not_from_here"  # facts: status, verdict
    TEST_FAILED = "test_failed"  # facts: test
    TEST_MISSING = "test_missing"  # facts: test
    NO_EXPIRY = "no_expiry"
    BATCH_EXPIRED = "batch_expired"  # facts: expires_at


class VerdictObstacle(Finding[VerdictObstacleCode]):
    """One reason why the verdict cannot be given."""


class VerdictWarningCode(StrEnum):
    TESTS_PENDING = "tests_pending"  # facts: tests; of a conditional release
    NO_TESTS = "no_tests"  # the tracer's list of tests is empty


class VerdictWarning(Finding[VerdictWarningCode]):
    """Something that must be confirmed, by its code, before the verdict is given."""


def may_follow(status: BatchStatus, verdict: BatchStatus) -> bool:
    """Whether a batch of this status may come to have that one."""
    return verdict in WAYS[status]


def within_limits(value: float, lower_limit: float | None, upper_limit: float | None) -> bool:
    """Whether a measured value passes; the limits themselves do. ValueError for no number."""
    if not math.isfinite(value):
        raise ValueError(f"value must be a number, not {value!r}")
    return (lower_limit is None or value >= lower_limit) and (
        upper_limit is None or value <= upper_limit
    )


def proposed_expiry(calibrated_at: datetime, shelf_life_min: int) -> datetime:
    """When a batch expires by the tracer's shelf life (minutes), in UTC."""
    return minutes_after(calibrated_at, shelf_life_min, "calibrated_at")


def verdict_obstacles(
    *,
    status: BatchStatus,
    verdict: BatchStatus,
    tests: Sequence[TestOutcome],
    expires_at: datetime | None,
    now: datetime,
) -> list[VerdictObstacle]:
    """Every reason against giving `verdict` on a batch of this status at `now`.

    A conditional release needs the tests of its stage to have passed, a full one all; a failed
    test forbids both, whatever its stage. A rejection needs none of this.
    """
    found = []
    if verdict not in VERDICTS or not may_follow(status, verdict):
        facts = {"status": status, "verdict": verdict}
        found.append(VerdictObstacle(VerdictObstacleCode.NOT_FROM_HERE, facts))
    if verdict in RELEASING:
        found.extend(_test_obstacles(tests, _needed(verdict)))
        found.extend(_expiry_obstacles(expires_at, now))
    return found


def verdict_warnings(*, verdict: BatchStatus, tests: Sequence[TestOutcome]) -> list[VerdictWarning]:
    """What must be confirmed before the verdict. Each code occurs once at most."""
    if verdict not in RELEASING:
        return []
    if not any(test.listed for test in tests):
        return [VerdictWarning(VerdictWarningCode.NO_TESTS)]
    pending = tuple(test.name for test in missing(tests, set(Stage)))
    if verdict == BatchStatus.CONDITIONALLY_RELEASED and pending:
        return [VerdictWarning(VerdictWarningCode.TESTS_PENDING, {"tests": pending})]
    return []


def missing(tests: Iterable[TestOutcome], stages: Collection[Stage]) -> list[TestOutcome]:
    """The tests of these stages that have no result yet."""
    return [test for test in tests if test.passed is None and test.listed and test.stage in stages]


def failed(tests: Iterable[TestOutcome]) -> list[TestOutcome]:
    return [test for test in tests if test.passed is False]


def _needed(verdict: BatchStatus) -> frozenset[Stage]:
    whole = verdict == BatchStatus.RELEASED
    return frozenset(Stage) if whole else frozenset({Stage.CONDITIONAL})


def _test_obstacles(
    tests: Sequence[TestOutcome], needed: Collection[Stage]
) -> Iterator[VerdictObstacle]:
    for test in failed(tests):
        yield VerdictObstacle(VerdictObstacleCode.TEST_FAILED, {"test": test.name})
    for test in missing(tests, needed):
        yield VerdictObstacle(VerdictObstacleCode.TEST_MISSING, {"test": test.name})


def _expiry_obstacles(expires_at: datetime | None, now: datetime) -> Iterator[VerdictObstacle]:
    if expires_at is None:
        yield VerdictObstacle(VerdictObstacleCode.NO_EXPIRY)
    elif as_utc(expires_at, "expires_at") <= as_utc(now, "now"):
        facts = {"expires_at": expires_at}
        yield VerdictObstacle(VerdictObstacleCode.BATCH_EXPIRED, facts)
