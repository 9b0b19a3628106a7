"""What an update says in constraint revision: changes of a plan."""

from __future__ import annotations

from ...speech.grammar import Wordings, framed


_LEADS = (
    "",
    "Sorry, ",
    "Wait, ",
    "No, ",
    "Oh, ",
    "Hold on, ",
    "Well, ",
    "Correction: ",
    "I got that wrong, ",
    "Here is a change: ",
    "I have to correct this: ",
    "I made an error, ",
)
_TAILS = (
    ", please",
    ", sorry",
    ", sorry about that",
    ", that is what I meant",
    ", I read it wrong",
    ", if you don't mind",
    ", they tell me",
)
CHANGE = Wordings(
    framed(
        (
            "change {noun} to {new}",
            "make {noun} {new}",
            "set {noun} to {new}",
            "put {noun} at {new}",
            "let {noun} be {new}",
            "let {noun} be {new} instead of {old}",
            "make {noun} {new} instead of {old}",
            "use {new} for {noun}",
            "take {new} and not {old} for {noun}",
            "correct {noun} to {new}",
            "we have to set {noun} to {new}",
        ),
        _LEADS,
        (*_TAILS, " from now on"),
    )
    + ("Please set {noun} to {new}.", "Please change {noun} to {new}.", "Could you make {noun} {new}?")
    + framed(
        (
            "{noun} is {new}, not {old}",
            "{noun} should be {new}",
            "{noun} has changed to {new}",
            "{noun} is now {new}",
            "{noun} has to be {new}",
            "{noun} is not {old} but {new}",
            "{noun} should be {new} and not {old}",
            "{noun} was {old} and is now {new}",
            "{noun} turns out to be {new}",
            "it is {new} for {noun}",
            "it is {new} and not {old} for {noun}",
            "I meant {new} for {noun}",
            "instead of {old} {noun} is {new}",
            "{new} is right for {noun}",
        ),
        _LEADS,
        (", sorry about that", ", I read it wrong", ", they tell me", ", I see now", ", so use that"),
    ),
    ("Replace {old} by {new} as {noun}.", "Reckon with {new} as {noun}.", "{Noun} moves from {old} to {new}."),
)
ADD = Wordings(
    (
        "Add {x}: {tell}.",
        "We want {x} too, {tell}.",
        "Plan {x} as well, {tell}.",
        "{X} is on the list now, {tell}.",
        "Please add {x}, {tell}.",
        "Put {x} in the plan: {tell}.",
        "I forgot {x}: {tell}.",
        "We also want {x}, {tell}.",
        "We need {x} as well: {tell}.",
        "We take {x} too, {tell}.",
        "Do not forget {x}, {tell}.",
        "{X} comes in too, {tell}.",
        "What about {x}? {Tell}.",
        "{Tell}, so add {x}.",
        "{Tell}, and we want it.",
        "{Tell}, please put {x} in the plan.",
        "{Tell}, so plan it too.",
        "Now that {tell}, plan {x} too.",
        "Since {tell}, we want {x} as well.",
        "As {tell}, we can add {x}.",
    ),
    ("Let us include {x}, {tell}.", "Make room for {x}: {tell}."),
)
_LESS = ("", "Sorry, ", "No, ", "Wait, ", "Well, ", "On reflection, ", "We talked it over: ")
DROP = {
    "item": Wordings(
        framed(
            (
                "drop {x}",
                "leave out {x}",
                "leave {x} out",
                "take {x} off the list",
                "take {x} out",
                "strike {x}",
                "skip {x}",
                "forget about {x}",
                "remove {x}",
                "we skip {x}",
                "we do without {x}",
                "we can do without {x}",
                "we do not need {x}",
                "we don't want {x} any more",
                "we have decided against {x}",
            ),
            _LESS,
            (", please", ", sorry", ", it is not needed", ", we can live without it", ", nobody wants it"),
        )
        + framed(
            (
                "{x} is not needed",
                "{x} is no longer needed",
                "{x} is out",
                "{x} has been dropped",
                "{x} is not wanted any more",
                "nobody wants {x} now",
            ),
            _LESS,
            (", sorry", ", so leave it out", ", so forget it", ", I am afraid"),
        ),
        ("{X} is off the plan.", "Cross out {x}."),
    ),
    "price": Wordings(
        framed(
            (
                "forget the price of {x}",
                "strike the price of {x}",
                "drop the price of {x}",
                "the price of {x} no longer holds",
                "the price of {x} was withdrawn",
                "the price of {x} is not known any more",
                "the price of {x} is gone",
                "nobody knows the price of {x} any more",
                "we no longer know the price of {x}",
                "there is no price for {x} now",
                "there is no price for {x} any more",
                "we have no price for {x} any more",
                "what I said of the price of {x} no longer holds",
            ),
            _LESS[:5],
            (", sorry", ", I am afraid", ", they tell me"),
        ),
        ("The price of {x} is unknown now.", "No price of {x} holds any longer."),
    ),
    "limit": Wordings(
        framed(
            (
                "there is no limit for {x} any more",
                "there is no longer a limit for {x}",
                "lift the limit for {x}",
                "drop the limit for {x}",
                "remove the limit for {x}",
                "strike the limit for {x}",
                "forget the limit for {x}",
                "take the limit for {x} away",
                "the limit for {x} is gone",
                "the limit for {x} was lifted",
                "the limit for {x} no longer holds",
                "the limit for {x} does not count any more",
                "we do without the limit for {x}",
                "{x} has no limit any more",
            ),
            _LESS[:6],
            (", sorry", ", I am told", ", so spend what it costs"),
        ),
        ("{X} needs no limit now.", "No limit holds for {x} any longer."),
    ),
    "budget": Wordings(
        framed(
            (
                "there is no budget any more",
                "there is no longer a budget",
                "we have no budget any more",
                "we need no budget now",
                "forget the budget",
                "lift the budget",
                "drop the budget",
                "remove the budget",
                "strike the budget",
                "the budget is gone",
                "the budget was lifted",
                "the budget no longer holds",
                "the budget does not count any more",
            ),
            _LESS[:6],
            (", sorry", ", I am told", ", so spend what it costs"),
        ),
        ("No budget holds any longer.", "Let us do without a budget."),
    ),
}
"""By what is lost; "price" for an item that has a limit too, so that it is clear which of them is meant."""
_MORE = ("", "From now on, ", "Please note: ", "One condition: ", "There is a new rule: ", "Mind this: ")
_MUST = (", please", ", and no more", ", that is a must", ", we have to save", ", not a dollar more")
CONSTRAIN = {
    "limit": Wordings(
        framed(
            (
                "spend at most {new} on {x}",
                "spend no more than {new} on {x}",
                "do not spend more than {new} on {x}",
                "no more than {new} for {x}",
                "at most {new} for {x}",
                "keep {x} within {new}",
                "give {x} at most {new}",
                "give {x} no more than {new}",
                "never give {x} more than {new}",
                "let {x} have {new} at most",
                "{x} has to make do with {new}",
                "{new} at most is for {x}",
                "{new} must do for {x}",
            ),
            _MORE,
            _MUST,
        ),
        ("Do not let {x} go over {new}.", "{X} is capped at {new}."),
    ),
    "budget": Wordings(
        framed(
            (
                "spend at most {new} in all",
                "spend no more than {new} in all",
                "do not spend more than {new} in all",
                "never spend more than {new} in all",
                "no more than {new} in all",
                "at most {new} in all",
                "keep it all within {new}",
                "stay within {new} in all",
                "we have only {new}",
                "we can only spend {new} in all",
                "{new} must do for everything",
                "{new} in all is the limit",
                "everything together must stay within {new}",
            ),
            _MORE,
            _MUST,
        ),
        ("Do not go over {new} in all.", "All of it is capped at {new}."),
    ),
}
