"""What a family of alias pairs is made of: contrasts, the contexts they stand in, and words.

In templates a thing is a letter: "result:E" is about the thing that the contrast turns on, "result:F" about another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..streams import kind_of, thing_of


LETTERS = "EFGH"

Choices = Mapping[str, tuple[str, ...]]
Exchange = tuple[str, str]


@dataclass(frozen=True)
class Contrast:
    """
    A kind of alias pair: two values of one stream that call for different actions.

    Args:
        decisive (`str`): The stream in which the members differ.
        values (`tuple[str, str]`): What it holds at the end in member 0 and in member 1.
        actions (`tuple[str, str]`): What is right in each.
        models (`tuple[str, ...]`): What `model_state` may be.
        given (`Mapping[str, tuple[str, ...]]`, *optional*): What other streams must hold, in place of the context of
            the family.
    """

    decisive: str
    values: tuple[str, str]
    actions: tuple[str, str]
    models: tuple[str, ...]
    given: Choices = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """
    Args:
        name (`str`): What examples call it.
        about (`str`): What it asks of the assistant, in a sentence.
        contrasts (`tuple[Contrast, ...]`): Its kinds of pairs, which take turns.
        context (`Mapping[str, tuple[str, ...]]`): What the other streams may hold.
        history (`tuple[str, ...]`): The families whose episodes may have gone before.
        words (`Mapping[str, tuple[tuple[str, str], ...]]`): For a kind of `model_state`, what user and assistant have
            said, `{E}` being the thing; the assistant may have said nothing yet.
    """

    name: str
    about: str
    contrasts: tuple[Contrast, ...]
    context: Choices
    history: tuple[str, ...]
    words: Mapping[str, tuple[Exchange, ...]]

    def exchanges(self, model: str) -> tuple[Exchange, ...]:
        """What may have been said where `model_state` is `model`."""
        return self.words[kind_of(model)]


def fill(template: str, things: Mapping[str, str]) -> str:
    """A template with its letter replaced by the thing it stands for."""
    letter = thing_of(template)
    return f"{kind_of(template)}:{things[letter]}" if letter else template
