"""Templates: text with fields in braces, optional groups in double brackets, and " | " between parts of a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from .expressions import compiled, evaluate
from .values import JOINS, filtered, joined, many, one, show
from .world import Context


class Span(NamedTuple):
    """A written value: where it stands, the name of the slot, whether it is the old value on purpose, and which part
    of the slot it is ("groups.n", "items|len")."""

    start: int
    end: int
    slot: str
    old: bool
    path: str = ""


class Written(NamedTuple):
    text: str
    spans: tuple[Span, ...]


_PIECE = re.compile(r"\{\{|\}\}|\{[^{}]+\}|[^{}]+")
_NAME = r"[A-Za-z_]\w*(?:\.\w+)*"
_SIMPLE = re.compile(rf"({_NAME})((?:\|\w+)*)$")
_AGREES = re.compile(rf"([\w']+/[\w']*)\s+({_NAME})$")
_COUNTED = re.compile(rf"({_NAME})((?:\|\w+)*)\s+(\S+(?:/\S+)?)$")


_CAPITALS = {"I", "I'm", "I'll", "I've", "I'd", "Captain", "Dr", "Mr", "Mrs", "Mum", "Dad", "Wi"}


@dataclass(frozen=True)
class Field:
    """One field. `noun`: what the value counts; `agrees`: two words, the first where the value is one."""

    name: str
    filters: tuple[str, ...] = ()
    noun: str = ""
    agrees: str = ""

    @property
    def old(self) -> bool:
        return self.name.endswith(".old")

    @property
    def root(self) -> str:
        return self.name.partition(".")[0]

    @property
    def roots(self) -> set[str]:
        return {self.root, self.noun.partition(".")[0]} if self.noun and "/" not in self.noun else {self.root}

    def value(self, context: Context, name: str) -> Any:
        path = name.split(".")
        source: Mapping[str, Any] = context.world
        if path[-1] == "old":
            path, source = path[:-1], context.old
        if source is context.world and path[0] in context.local:
            value = context.local[path[0]]
        elif path[0] not in source:
            raise ValueError(f"There is no value {path[0]!r} for a field {{{self.name}}}.")
        else:
            value = source[path[0]]
        for part in path[1:]:
            value = tuple(item[part] for item in value) if isinstance(value, tuple) else value[part]
        return value

    def write(self, context: Context) -> list[tuple[str, str]]:
        """The text in pieces, each with the path of the value that it is, or ""."""
        value = self.value(context, self.name)
        if self.agrees:
            single, _, plural = self.agrees.partition("/")
            count = len(value) if isinstance(value, tuple) else value
            return [(single if count == 1 else plural, "")]
        path = self.name.removesuffix(".old") + ("|len" if "len" in self.filters else "")
        upper = context.world.style.get("upper") if not self.old else None
        text = _write(value, self.filters, context)
        if upper and upper == self.name:
            head, space, rest = text.partition(" ") if "a" in self.filters else ("", "", text)
            text = head + space + rest.upper()
        written = [(text, path)]
        if self.noun:
            noun = str(self.noun if "/" in self.noun else self.value(context, self.noun))
            count = len(value) if isinstance(value, tuple) else value
            singular = count == 1 and "/" in noun
            noun = one(noun) if singular else many(noun)
            noun = noun.upper() if upper and upper == self.noun else noun
            written += [(" ", ""), (noun, "" if "/" in self.noun else self.noun)]
        return written


def _write(value: Any, filters: Sequence[str], context: Context) -> str:
    style = context.world.style
    if isinstance(value, tuple):
        shape = "{item}"
        for name in filters:
            if name == "len":
                return str(len(value))
            if name not in JOINS:
                shape = f"{{item|{name}}}"
        items = [write_item(item, context, shape) for item in value]
        how = next((name for name in filters if name in JOINS), "and")
        if how in ("comma", "and") and style.get("separator") == "semi":
            how = "semi" if how == "comma" or len(items) < 3 else "semi and"
        return joined(items, how)
    if isinstance(value, Mapping):
        return write_item(value, context, "{item}")
    if value is None:
        return "none"
    for name in filters:
        value = filtered(value, name, style)
    return show(value, style)


def write_item(item: Any, context: Context, shape: str = "{item}") -> str:
    """An item of a list: by its own `show`, if it has fields."""
    if isinstance(item, Mapping):
        made = template(item["show"])
        return write(made, context._replace(local={**context.local, **item, "item": item})).text
    return "".join(text for text, _ in field(shape[1:-1]).write(context._replace(local={"item": item})))


@cache
def field(spec: str) -> Field:
    """Reads what stands between braces."""
    spec = spec.strip()
    if found := _SIMPLE.match(spec):
        return Field(found[1], tuple(found[2].split("|")[1:]))
    if found := _AGREES.match(spec):
        return Field(found[2], agrees=found[1])
    if found := _COUNTED.match(spec):
        return Field(found[1], tuple(found[2].split("|")[1:]), noun=found[3])
    raise ValueError(f"{{{spec}}} is not a field.")


@dataclass(frozen=True, eq=False)
class Token:
    """A word of a template: the white space before it, its text and fields, the condition of its group, its part.

    `aside` marks words of a repair, which are not repeated; `first` capitalizes the word, or does the opposite.
    """

    space: str
    pieces: tuple[str | Field, ...]
    condition: str = ""
    part: int = 0
    aside: bool = False
    first: str = ""

    @property
    def names(self) -> set[str]:
        made = set(compiled(self.condition)[1]) if self.condition else set()
        for piece in self.pieces:
            if isinstance(piece, Field) and not piece.old:
                made |= piece.roots
        return made

    def write(self, context: Context) -> Written | None:
        """The word now; None if its group is left out."""
        if self.condition and not evaluate(self.condition, {**context.world, **context.local}):
            return None
        pieces = self.pieces
        if len(pieces) == 1 and isinstance(pieces[0], str):
            return Written(self._cased(pieces[0]), ())
        text, spans = "", []
        for piece in pieces:
            if isinstance(piece, str):
                text += piece
                continue
            for written, path in piece.write(context):
                if path and written:
                    slot = re.split(r"[.|]", path)[0]
                    spans.append(Span(len(text), len(text) + len(written), slot, piece.old, path))
                text += written
        return Written(self._cased(text), tuple(spans))

    def _cased(self, text: str) -> str:
        literal = isinstance(self.pieces[0], str)
        if self.first == "lower" and literal:
            word = re.match(r"[A-Za-z']*", text)
            keep = word is not None and (word[0] in _CAPITALS or word[0][1:2].isupper())
            return text if keep else text[:1].lower() + text[1:]
        if self.first == "upper" and (literal or len(text.split(" ")[0].rstrip(".,:;")) > 1):
            return text if text[1:2].isupper() else text[:1].upper() + text[1:]
        return text


@dataclass(frozen=True, eq=False)
class Template:
    source: str
    tokens: tuple[Token, ...]

    @property
    def names(self) -> set[str]:
        return set().union(*(token.names for token in self.tokens)) if self.tokens else set()

    @property
    def old_names(self) -> set[str]:
        fields = (piece for token in self.tokens for piece in token.pieces if isinstance(piece, Field))
        return {piece.root for piece in fields if piece.old}


_GROUP = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)


@cache
def template(source: str, parts: bool = True) -> Template:
    """Reads a template; `parts`: whether " | " parts a sentence, or is a letter like any other."""
    pieces: list[tuple[str, str]] = []  # text, condition
    last = 0
    for found in _GROUP.finditer(source):
        pieces.append((source[last : found.start()], ""))
        condition, _, inner = found[1].partition(":")
        pieces.append((inner, condition.strip()))
        last = found.end()
    pieces.append((source[last:], ""))
    tokens: list[Token] = []
    part, pending = 0, ""
    for text, condition in pieces:
        for space, word in _words(text):
            if parts and word == "|":
                part, pending = part + 1, space
                continue
            if word:
                tokens.append(Token(pending if "\n" in pending else space or pending, _pieces(word), condition, part))
                pending = ""
            else:
                pending = space
    return Template(source, tuple(tokens))


def _words(text: str) -> list[tuple[str, str]]:
    """Words with the space before each; a field is never cut. Space at the end comes as a word without text."""
    made, position = [], 0
    word = re.compile(r"(\s*)((?:\{\{|\}\}|\{[^{}]*\}|[^\s{}])*)")
    while position < len(text):
        found = word.match(text, position)
        if not found or found.end() == position:
            raise ValueError(f"{text!r} has a brace that is not closed; a brace in the text is written twice.")
        made.append((found[1], found[2]))
        position = found.end()
    return made


def _pieces(word: str) -> tuple[str | Field, ...]:
    made: list[str | Field] = []
    for piece in _PIECE.findall(word):
        if len(piece) > 2 and piece[0] == "{":
            made.append(field(piece[1:-1]))
        elif made and isinstance(made[-1], str):
            made[-1] += piece[0] if piece in ("{{", "}}") else piece
        else:
            made.append(piece[0] if piece in ("{{", "}}") else piece)
    return tuple(made)


def write(made: Template, context: Context) -> Written:
    """All of a template."""
    text, spans = "", []
    for token in made.tokens:
        written = token.write(context)
        if written is None:
            continue
        text += token.space if text else ""
        spans += [span._replace(start=len(text) + span.start, end=len(text) + span.end) for span in written.spans]
        text += written.text
    return Written(text, tuple(spans))


_ENDS = re.compile(r"[.?!][)\"']?$")


def sentences(tokens: Sequence[Token]) -> list[list[Token]]:
    """The sentences of prose; a new line begins one too."""
    made: list[list[Token]] = [[]]
    for token in tokens:
        new_line = "\n" in token.space
        if made[-1] and token.space and (new_line or ends(made[-1][-1])):
            made.append([])
        made[-1].append(token)
    return [sentence for sentence in made if sentence]


def ends(token: Token) -> bool:
    """Whether a sentence ends with this word."""
    last = token.pieces[-1]
    return isinstance(last, str) and bool(_ENDS.search(last))


def aside(text: str) -> list[Token]:
    """The words of a lead-in."""
    return [replace(token, aside=True, space=token.space or " ") for token in template(text).tokens]
