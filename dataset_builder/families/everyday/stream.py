"""What is emitted: units of text in order, and a place in them. Prose is emitted word by word from its template;
an artifact is written as a whole first, so that it can be compared with what an update makes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...speech.discourse import END
from .templates import Span, Template, Token, Written
from .values import item_name
from .wordings import Line
from .world import Context, World


@dataclass(eq=False)
class Sentence:
    """A sentence of prose. `plain`: without words of repair; `space`: before it; `old`: what `.old` stands for.

    `inserted`: it restates what changed. `dropped`: it was cut off, what it holds is said again later.
    `lead`: the kind of update that its words of repair fit, and `base`: the world before that update.
    """

    tokens: list[Token]
    plain: list[Token]
    space: str = " "
    old: Mapping[str, Any] = field(default_factory=dict)
    inserted: bool = False
    dropped: bool = False
    begun: bool = False
    source: Template | None = None
    lead: str = ""
    base: World | None = None


class Word(NamedTuple):
    """A word of an artifact: space before it, text, its line and its token there, and the spans that end in it."""

    space: str
    text: str
    line: tuple[int, Any]
    token: int
    spans: tuple[Span, ...]
    back: int


@dataclass(eq=False)
class Artifact:
    """Lines. `words`: as written now. `frozen`: it is being ended, another copy follows."""

    lines: tuple[Line, ...]
    words: list[Word]
    space: str = "\n"
    frozen: bool = False


Unit = Sentence | Artifact


def cased(text: str, world: World) -> str:
    """Text of the answer as its form asks: in capitals (not the sign of multiplication), without exclamation marks."""
    if world.style.get("calm"):
        text = text.replace("!", ".")
    return text.upper() if world.style.get("caps") == "yes" and text != "x" else text


def artifact_words(lines: Sequence[Line], world: World) -> list[Word]:
    """All words of an artifact as it is written now."""
    made: list[Word] = []
    how, dashes = world.style.get("lines"), 0
    for number, line in enumerate(lines):
        items = world[line.each] if line.each else (None,)
        for index, item in enumerate(items or ()):
            local: dict[str, Any] = {}
            if line.each:
                comma = "," if index + 1 < len(items) else ""
                local = {"item": item, "number": index + 1, "comma": comma}
                local |= item if isinstance(item, Mapping) else {}
            first = True
            for place, token in enumerate(line.made.tokens):
                written = token.write(Context(world, {}, local))
                if written is None or not written.text:
                    continue
                if first and how:
                    dash = written.text == "-" and not token.space
                    dashes = dashes + 1 if dash else 0
                    if dash and how == "one":
                        continue
                    if dash and how == "numbers":
                        written = Written(f"{dashes}.", ())
                    elif how == "dashes" and line.each and written.text == f"{local['number']}.":
                        written = Written("-", ())
                if line.each:  # an item is a value of its list
                    named = {"item", *local} - {"number", "comma"}
                    spans = [span for span in written.spans if span.slot not in ("number", "comma")]
                    spans = [_of_item(span, line.each, item) if span.slot in named else span for span in spans]
                    written = Written(written.text, tuple(spans))
                if world.style.get("delimiter"):
                    written = Written(written.text.replace(",", world.style["delimiter"]), written.spans)
                space = token.space
                if first:
                    space = "\n" + space if made else ""
                    if how == "one" and made:
                        space, made[-1] = " ", _closed(made[-1])
                first = False
                made += _split(space, Written(cased(written.text, world), written.spans), (number, item), place)
    return made


def _closed(word: Word) -> Word:
    """The last word of a line that another one follows in the same line."""
    if word.text[-1:] in ".,:;!?":
        return word
    return word._replace(text=word.text + ";", back=word.back + bool(word.spans))


def _of_item(span: Span, slot: str, item: Any) -> Span:
    """A span of a field of an item as one of the list."""
    field = span.path.removeprefix("item").lstrip(".") if isinstance(item, Mapping) else ""
    return span._replace(slot=slot, path=item_name(slot, item) + (f".{field}" if field else ""))


def _split(space: str, written: Written, line: tuple[int, Any], token: int) -> list[Word]:
    parts = written.text.split(" ")
    made = []
    for index, part in enumerate(parts):
        last = index + 1 == len(parts)
        spans, back = (written.spans, len(written.text)) if last else ((), 0)
        made.append(Word(" " if index else space, part, line, token, spans, back))
    return made


class Stream:
    """Emits units word by word in the world of the moment.

    `repairs`: the spans of words of repair with what they introduce, and `called`: the version that called for the
    last one.
    """

    def __init__(self, units: list[Unit], world: World):
        self.units, self.world = units, world
        self.text = ""
        self.version = 0
        self.spans: list[dict[str, Any]] = []
        self.shown: dict[str, Any] = {}
        self.unit, self.position, self.partial = 0, 0, 0
        self._start = 0
        self.repairs: list[dict[str, int]] = []
        self.called = 0
        self._mending: Unit | None = None
        self._aside = False

    def context(self, sentence: Sentence, world: World | None = None) -> Context:
        return Context(world or self.world, {**self.world, **self.shown, **sentence.old}, {})

    def _skip(self) -> None:
        """Moves on to the next word that is emitted."""
        while self.unit < len(self.units):
            unit = self.units[self.unit]
            if isinstance(unit, Artifact):
                if self.position < len(unit.words):
                    return
            else:
                while self.position < len(unit.tokens):
                    if self.partial or unit.tokens[self.position].write(self.context(unit)) is not None:
                        return
                    self.position += 1
            self.unit, self.position, self.partial = self.unit + 1, 0, 0

    def at_end(self) -> bool:
        self._skip()
        return self.unit >= len(self.units)

    def _space(self, unit: Unit) -> str:
        """The space before the next word."""
        if isinstance(unit, Artifact):
            return unit.words[self.position].space if self.position else unit.space
        if self.partial:
            return " "
        return unit.tokens[self.position].space if unit.begun else unit.space

    def glued(self) -> bool:
        """Whether the next word stands without space behind what was emitted."""
        return bool(self.text) and not self.at_end() and self._space(self.units[self.unit]) == ""

    def emit(self, words: int | None = None) -> int:
        """Emits that many words, or all; returns how many there were."""
        count = 0
        while (words is None or count < words or self.glued()) and not self.at_end():
            unit = self.units[self.unit]
            glued = self._space(unit) == ""
            if isinstance(unit, Artifact):
                self._aside = False
                if not self.position and self._mending is self.units[self.unit - 1] and self.unit:
                    self._mending = unit
                word = unit.words[self.position]
                self.text += (self._space(unit) if self.text else "") + word.text
                start = len(self.text) - word.back
                for span in word.spans:
                    self._record(start, span._replace(old=span.old or unit.frozen))
                self.position += 1
            else:
                self._emit_token(unit)
            if self._mending is unit:
                self.repairs[-1]["end"] = len(self.text)
            count += not glued or count == 0
        return count

    def _emit_token(self, unit: Sentence) -> None:
        written = unit.tokens[self.position].write(self.context(unit))
        assert written is not None
        parts = written.text.split(" ")
        if self.partial >= len(parts):  # only a value whose text became shorter
            self.position, self.partial = self.position + 1, 0
            return
        space = self._space(unit) if self.text else ""
        if not self.partial:
            self._start = len(self.text) + len(space)
            self._mend(unit, unit.tokens[self.position].aside)
        self.text += space + cased(parts[self.partial], self.world)
        unit.begun = True
        self.partial += 1
        if self.partial == len(parts):
            for span in written.spans:
                self._record(self._start, span)
            self.position, self.partial = self.position + 1, 0

    def _mend(self, unit: Sentence, aside: bool) -> None:
        """Opens a repair at its first word, or lengthens the last one by another sentence."""
        last = self.repairs[-1] if self.repairs else None
        first = aside and not (self._aside and last and last["version"] == self.called)
        if unit.inserted and not unit.begun and not aside:
            same = last and last["version"] == self.called and self._mending is self.units[self.unit - 1]
            first = not same
            self._mending = unit
        if first:
            self.repairs.append({"start": self._start, "end": self._start, "version": self.called})
            self._mending = unit
        self._aside = aside

    def end(self, heard: bool) -> None:
        """Marks the end of what was emitted so far; once more if an update was received since the last mark."""
        if heard or not self.text.endswith(END):
            self.text += END

    def _record(self, start: int, span: Span) -> None:
        begin, end = start + span.start, start + span.end
        made = {"start": begin, "end": end, "slot": span.slot, "path": span.path, "value": self.text[begin:end]}
        self.spans.append({**made, "version": self.version, "old": span.old})
        if not span.old and span.slot in self.world:
            self.shown[span.slot] = self.world[span.slot]

    def pending_words(self) -> int:
        """About how many words are still to come."""
        count = 0
        for index in range(self.unit, len(self.units)):
            unit = self.units[index]
            begin = self.position if index == self.unit else 0
            if isinstance(unit, Artifact):
                count += len(unit.words) - begin
            else:
                count += sum(1 for token in unit.tokens[begin:] if token.space)
        return count

    def last_mark(self) -> str:
        """The punctuation that what was emitted ends with."""
        found = re.search(r"([.,:;?!]|--)$", self.text.replace(END, ""))
        return found[0] if found else ""
