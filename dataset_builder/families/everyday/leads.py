"""The words that a repair begins with."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from .templates import Token
from .wordings import Choices, Domain, common


class Repairs:
    """Draws the words of repair: of the domain mostly, else those that all domains share."""

    def __init__(self, domain: Domain, rng: Random, paraphrase: bool):
        self.domain, self.rng, self.paraphrase = domain, rng, paraphrase
        self.used: list[str] = []

    def draw(self, kind: str, place: str, old: bool) -> str:
        """A lead-in; `place`: "" in the middle of a sentence, "sentence", or "artifact"."""
        kind = "correction" if kind == "recorrection" else kind
        suffix = f" {place}" if place else ""
        for _ in range(20):
            own, shared = self.domain.repairs, common()
            keys = (kind + suffix, "correction" + suffix)
            key = next(key for key in keys if key in own or f"repairs {key}" in shared)
            lists = [choices for choices in (own.get(key), shared.get(f"repairs {key}")) if choices]
            choices: Choices = lists[0] if len(lists) == 1 or self.rng.random() < 0.7 else lists[1]
            made = str(choices.draw(self.rng, self.paraphrase))
            if "{old}" not in made or old:
                break
        else:
            made = "Sorry," if place == "sentence" else "-- sorry,"
        self.used.append(made)
        return made


def capital(tokens: list[Token]) -> list[Token]:
    """Words of repair with a capital, without a dash before them."""
    if not tokens:
        return tokens
    first = str(tokens[0].pieces[0]).removeprefix("-- ")
    if first == "--":
        return capital(tokens[1:])
    return [replace(tokens[0], pieces=(first[:1].upper() + first[1:], *tokens[0].pieces[1:])), *tokens[1:]]


def undoubled(lead: list[Token], behind: Token) -> list[Token]:
    """Words of repair without the last one if what follows begins with it."""
    words = [str(token.pieces[-1]).strip(",.:;").lower() for token in (lead[-1], behind)]
    # "Got it, it ends at five" is no stutter.
    return lead[:-1] if words[0] == words[1] != "it" and len(behind.pieces) == 1 else lead


def lowered(token: Token) -> Token:
    """A word of repair without a capital, unless that is the word I."""
    first = str(token.pieces[0])
    keep = first.startswith("I") and first[1:2] in ("", "'")
    return token if keep else replace(token, pieces=(first[:1].lower() + first[1:], *token.pieces[1:]))
