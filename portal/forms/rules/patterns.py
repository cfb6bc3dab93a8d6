"""Patterns that a text must have, matched in linear time whatever the pattern.

A small, closed part of regular expressions: characters, ``.``, ``\\d`` ``\\w`` ``\\s``, sets like
``[A-Z0-9-]`` and ``[^ ]``, groups, ``|``, and ``?`` ``*`` ``+`` ``{2}`` ``{2,}`` ``{2,5}``. The
whole text must match. There is no looking back or around, so a text is read once, with the set of
places in the pattern where it may stand: nothing can blow up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

MOST_CHARACTERS = 200
MOST_STATES = 1_000
_DEEPEST = 20
_REPEAT = re.compile(r"\{(\d{1,3})(,)?(\d{1,3})?\}", re.ASCII)
_SETS: dict[str, Callable[[str], bool]] = {
    "d": lambda c: c in "0123456789",
    "w": lambda c: c.isalnum() or c == "_",
    "s": str.isspace,
}
_SPECIAL = "\\.[]{}()|?*+^$"

Test = Callable[[str], bool]
Piece = tuple[int, int]
"""A part of the machine: where one goes in, where one comes out."""


class PatternError(ValueError):
    """A pattern that cannot be read: at which character, and why."""

    def __init__(self, position: int, reason: str) -> None:
        self.position, self.reason = position, reason
        super().__init__(f"character {position}: {reason}")


@dataclass
class Pattern:
    """A pattern as a machine of states: some pass freely, some read one character."""

    free: list[list[int]] = field(default_factory=list)
    reads: list[tuple[Test, int] | None] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` has the pattern."""
        here = self._reach([self.start])
        for character in text:
            read = [self.reads[state] for state in here]
            here = self._reach([each[1] for each in read if each and each[0](character)])
            if not here:
                return False
        return self.end in here

    def _reach(self, states: list[int]) -> set[int]:
        """Everywhere one can be without reading a character more."""
        found: set[int] = set()
        while states:
            state = states.pop()
            if state not in found:
                found.add(state)
                states += self.free[state]
        return found

    def state(self) -> int:
        if len(self.free) >= MOST_STATES:
            raise PatternError(0, "too many repetitions")
        self.free.append([])
        self.reads.append(None)
        return len(self.free) - 1

    def reading(self, test: Test) -> Piece:
        inward, outward = self.state(), self.state()
        self.reads[inward] = (test, outward)
        return inward, outward

    def one_after_another(self, pieces: list[Piece]) -> Piece:
        inward = outward = self.state()
        for into, out in pieces:
            self.free[outward].append(into)
            outward = out
        return inward, outward

    def one_of(self, pieces: list[Piece]) -> Piece:
        inward, outward = self.state(), self.state()
        for into, out in pieces:
            self.free[inward].append(into)
            self.free[out].append(outward)
        return inward, outward

    def repeated(self, make: Callable[[], Piece], least: int, most: int | None) -> Piece:
        pieces = [make() for _ in range(least)]
        if most is None:
            into, out = make()
            inward, outward = self.state(), self.state()
            self.free[inward] += [into, outward]
            self.free[out] += [into, outward]
            pieces.append((inward, outward))
        pieces += [
            self.one_of([make(), self.one_after_another([])]) for _ in range((most or 0) - least)
        ]
        return self.one_after_another(pieces)


@lru_cache(maxsize=512)
def read_pattern(text: str) -> Pattern:
    """The pattern in ``text``. PatternError for what is not one of ours."""
    if len(text) > MOST_CHARACTERS:
        raise PatternError(MOST_CHARACTERS, "too long")
    reader = _Reader(text)
    make, at = reader.alternatives(0, 0)
    if at < len(text):
        raise PatternError(at, "a bracket that was not opened")
    pattern = Pattern()
    pattern.start, pattern.end = make(pattern)
    return pattern


Maker = Callable[[Pattern], Piece]


@dataclass
class _Reader:
    text: str

    def alternatives(self, at: int, depth: int) -> tuple[Maker, int]:
        if depth > _DEEPEST:
            raise PatternError(at, "nested too deeply")
        options: list[Maker] = []
        while True:
            parts, at = self.sequence(at, depth)
            options.append(_in_a_row(parts))
            if self.text[at : at + 1] != "|":
                return lambda p: p.one_of([each(p) for each in options]), at
            at += 1

    def sequence(self, at: int, depth: int) -> tuple[list[Maker], int]:
        parts: list[Maker] = []
        while at < len(self.text) and self.text[at] not in "|)":
            atom, at = self.atom(at, depth)
            least, most, at = self.count(at)
            if (least, most) != (1, 1):
                atom = _repeat(atom, least, most)
            parts.append(atom)
        return parts, at

    def atom(self, at: int, depth: int) -> tuple[Maker, int]:
        character = self.text[at]
        if character == "(":
            make, end = self.alternatives(at + 1, depth + 1)
            if self.text[end : end + 1] != ")":
                raise PatternError(at, "a bracket that is not closed")
            return make, end + 1
        test, end = self.test(at)
        return lambda p: p.reading(test), end

    def test(self, at: int) -> tuple[Test, int]:
        character = self.text[at]
        if character == ".":
            return lambda c: c != "\n", at + 1
        if character == "[":
            return self.set(at)
        if character == "\\":
            return self.escaped(at)
        if character in _SPECIAL:
            raise PatternError(at, f"“{character}” has nothing to work on; write \\{character}")
        return lambda c: c == character, at + 1

    def escaped(self, at: int) -> tuple[Test, int]:
        character = self.text[at + 1 : at + 2]
        if character in _SETS:
            return _SETS[character], at + 2
        if not character or character.isalnum():
            raise PatternError(at, f"“\\{character}” is not known")
        return lambda c: c == character, at + 2

    def set(self, at: int) -> tuple[Test, int]:
        opened, at = at, at + 1
        outside = self.text[at : at + 1] == "^"
        at += outside
        tests: list[Test] = []
        while at < len(self.text) and self.text[at] != "]":
            test, at = self.member(at)
            tests.append(test)
        if at >= len(self.text) or not tests:
            raise PatternError(opened, "a set that is empty or not closed")
        return lambda c: any(test(c) for test in tests) != outside, at + 1

    def member(self, at: int) -> tuple[Test, int]:
        """A character, a class, or a range of characters inside a set."""
        first = self.text[at]
        if first == "\\":
            return self.escaped(at)
        if first == "[":
            raise PatternError(at, "write \\[ inside a set")
        last = self.text[at + 2 : at + 3]
        if self.text[at + 1 : at + 2] != "-" or last in ("", "]"):
            return lambda c: c == first, at + 1
        if last in "\\[" or last < first:
            raise PatternError(at, "a range that goes backwards")
        return lambda c: first <= c <= last, at + 3

    def count(self, at: int) -> tuple[int, int | None, int]:
        """How often the atom before ``at`` stands: least, most (None: any number)."""
        character = self.text[at : at + 1]
        simple = {"?": (0, 1), "*": (0, None), "+": (1, None)}
        if character in simple and character:
            return *simple[character], at + 1
        if character != "{":
            return 1, 1, at
        found = _REPEAT.match(self.text, at)
        if not found:
            raise PatternError(at, "write {2}, {2,} or {2,5}")
        least = int(found[1])
        most = None if found[2] and not found[3] else int(found[3] or least)
        if (found[3] and not found[2]) or (most is not None and most < least):
            raise PatternError(at, "write {2}, {2,} or {2,5}")
        return least, most, found.end()


def _in_a_row(parts: list[Maker]) -> Maker:
    return lambda p: p.one_after_another([each(p) for each in parts])


def _repeat(atom: Maker, least: int, most: int | None) -> Maker:
    return lambda p: p.repeated(lambda: atom(p), least, most)
