"""The one error of outside formats: where in the message or file, and what is wrong there.

Neither part quotes what was read: a message may hold a patient's name (TS-022).
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """What is wrong, as a sentence that stays the same; `name` is the code for translations."""

    EMPTY = "there is nothing in it"
    TOO_LARGE = "it is larger than is taken"
    UNKNOWN_FORMAT = "it is not in a format that is taken"
    NOT_TEXT = "it is not text in a known encoding"
    NOT_IN_CHARSET = "it is not written in the character set that it names"
    UNKNOWN_CHARSET = "the character set is not one that is taken"
    DAMAGED_WORKBOOK = "the workbook is damaged, encrypted or not an Excel workbook"
    NO_HEADER = "the header is missing or cannot be read"
    TYPE_NOT_TAKEN = "this type of message is not taken"
    MANY_MESSAGES = "there is more than one message in it"
    UNKNOWN_ORDER_CONTROL = "the order control code is not one that is taken"
    MISSING = "a value that is needed is missing"
    TWICE = "it stands there more than once"
    TOO_LONG = "the value is longer than is taken"
    UNREADABLE = "the value cannot be read"
    UNREADABLE_TIME = "the time cannot be read"
    NO_SUCH_TIME = "the clock skips this time when summer time begins"
    TIME_COMES_TWICE = "the clock shows this time twice when summer time ends"
    UNREADABLE_NUMBER = "the number cannot be read"
    NOT_ABOVE_ZERO = "the amount is not above zero"
    NUMBER_TOO_LARGE = "the number is larger than any that can be meant"
    UNKNOWN_UNIT = "the unit is not one that is taken"
    CONTRADICTION = "two values that must agree do not"
    COLUMN_COUNT = "the row does not have as many columns as the header"


class FormatError(ValueError):
    """A message, file or row that cannot be understood.

    `where`: segment and field (`OBR[1]-21`), row and column (`row 5, DateTimeStamp`) or line.
    """

    def __init__(self, where: str, reason: Reason) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason
