"""What is heard in structured transformation: how prompts tell fields and rules and ask for members, and updates.

Many wordings are made of parts, so that what a clause says has to be read, not which template it is. No comma within a
clause of the prompt: it would be heard as two. Parts that come more than once are drawn more often.
"""

from __future__ import annotations

from itertools import product

from ...speech.grammar import Wordings


def at_least(key: str, first: str, second: str) -> tuple[str, ...]:
    """Ways to say that a member tells whether one thing reaches another."""
    forms = (
        "{k} is true if {a} is at least {b}",
        "{k} is true when {a} is not below {b}",
        "{k} is true unless {a} is below {b}",
        "{k} is false if {a} is below {b} and otherwise true",
        "{k} tells whether {a} is at least {b}",
        "{k} shows whether {a} is no less than {b}",
        "if {a} is at least {b} then {k} is true and otherwise false",
        "whether {a} is at least {b} decides about {k}",
        "make {k} true if {a} is at least {b} and false if not",
        "{k} depends on whether {a} is at least {b}",
    )
    return tuple(form.format(k=key, a=first, b=second) for form in forms)


def difference(key: str, first: str, second: str) -> tuple[str, ...]:
    """Ways to say that a member is one thing less another."""
    forms = (
        "{k} is {a} minus {b}",
        "{k} is the difference of {a} and {b}",
        "{k} = {a} - {b}",
        "{k} equals {a} minus {b}",
        "{a} minus {b} gives {k}",
        "calculate {k} as {a} minus {b}",
        "take {b} away from {a} and you have {k}",
        "reduce {a} by {b} and you have {k}",
        "for {k} take {a} and deduct {b}",
        "{k} is what is left of {a} without {b}",
    )
    return tuple(form.format(k=key, a=first, b=second) for form in forms)


def times(key: str, first: str, second: str) -> tuple[str, ...]:
    """Ways to say that a member is one thing times another."""
    forms = (
        "{k} is {a} times {b}",
        "{k} is the product of {a} and {b}",
        "{k} = {a} * {b}",
        "{k} equals {a} times {b}",
        "{a} times {b} gives {k}",
        "calculate {k} as {a} times {b}",
        "take {a} times {b} and you have {k}",
        "for {k} take {a} times {b}",
        "{k} comes from {a} multiplied with {b}",
    )
    return tuple(form.format(k=key, a=first, b=second) for form in forms)


_TELLS = (
    *("{key} is {v}",) * 4,
    *("{key} should be {v}", "{key} = {v}") * 2,
    "{key} has to be {v}",
    "{key} ought to be {v}",
    "{key} equals {v}",
    "{key} reads {v}",
    "{key} has the value {v}",
    "{key} needs to be {v}",
    "{key} counts as {v}",
    "the field {key} is {v}",
    "we need {v} for {key}",
    "{v} is right for {key}",
    "{v} belongs under {key}",
    "{v} is what {key} should be",
    "{v} is to be used for {key}",
    "for {key} we have {v}",
    "the right entry for {key} is {v}",
)
"""Clauses that may stand behind "that"."""
TELL = Wordings(_TELLS, ("{key} holds {v}",))
GIVEN = Wordings(
    (
        *_TELLS * 12,
        *("{key} is {v}", "{key} = {v}", "the field {key} is {v}", "take {v} for {key}") * 12,
        *(
            f"{head} {told}"
            for head, told in product(
                (
                    "we know that",
                    "note that",
                    "please note that",
                    "I was told that",
                    "it is a fact that",
                    "remember that",
                    "as things stand",
                    "I can tell you that",
                ),
                _TELLS,
            )
        ),
        *(
            f"{told} {tail}"
            for told, tail in product(
                _TELLS,
                ("as I was told", "for now", "to begin with", "in our records", "as far as I can see", "I think"),
            )
        ),
        *(
            (
                "let {key} be {v}",
                "set {key} to {v}",
                "use {v} as {key}",
                "use {v} for {key}",
                "put {v} under {key}",
                "write {v} for {key}",
                "as {key} use {v}",
                "for {key} please take {v}",
                "under {key} there is {v}",
                "{v} is meant for {key}",
                "{key} was given as {v}",
                "I have {v} for {key}",
                "under {key} please put {v}",
            )
            * 12
        ),
    ),
    ("{v} goes into {key}", "the value of {key} is {v}"),
)
_INTROS = (
    "write a JSON object with|give me JSON for|I need JSON with|write JSON:|turn this into JSON:"
    "|please write JSON with|make me a JSON object with|I would like JSON with|could you write JSON with"
    "|answer in JSON:|in JSON give me|the JSON should contain|output JSON with these members:|build a JSON object from"
    "|as JSON please write|convert this into JSON:|my JSON object should consist of|what I need in JSON is"
).split("|")
ASK = (
    *product(_INTROS, ("{n}) {key}", "{n}) {key}", "({n}) {key}", "{ordinal} {key}", "as number {n} {key}")),
    *product(_INTROS, ("{key} as number {n}", "{key} in place {n}", "{key} as the {ordinal} member")),
    *(
        (intro, "member {n} is {key}")
        for intro in ("write JSON:", "turn this into JSON:", "answer in JSON:", "I need JSON like this:") * 4
    ),
    *(
        ("", item)
        for item in (
            "{ordinal} write {key} in JSON",
            "JSON member {n} is {key}",
            "{key} is JSON member {n}",
            "the {ordinal} member of the JSON is {key}",
            "{ordinal} give me {key} as JSON",
            "{key} comes {ordinal} in the JSON",
            "in JSON write {key} as number {n}",
            "the JSON has {key} in place {n}",
            "please write {key} as JSON member {n}",
            "in place {n} of the JSON I need {key}",
        )
        * 6
    ),
)
ASK_UNSEEN = (
    ("produce JSON that holds", "{n}) {key}"),
    ("", "{ordinal} put {key} into the JSON"),
    ("encode as JSON", "item {n}, {key}"),
)
ASK_ONE = Wordings(
    (
        "write {key} as JSON.",
        "give me JSON with {key}.",
        "write a JSON object with {key}.",
        "I need {key} in JSON.",
        "please write {key} in JSON.",
        "could you give me {key} as JSON?",
        "can I have {key} in JSON?",
        "I would like JSON with {key}.",
        "make me a JSON object that has {key}.",
        "the JSON should just have {key}.",
        "all I need in JSON is {key}.",
        "{key} is what I need in JSON.",
        "show me {key} as JSON.",
        "turn {key} into JSON.",
        "what I want is {key} in JSON.",
        "only {key} belongs in the JSON.",
        "as JSON please write {key}.",
        "build a JSON object from {key}.",
    ),
    ("encode {key} as JSON.", "produce JSON that holds {key}."),
)
WRAP = Wordings(
    (
        "wrap it in {name}.",
        "put all of it under {name}.",
        "the object goes under the key {name}.",
        "everything belongs under the key {name}.",
        "let the whole object sit under {name}.",
        "{name} is the key of the whole object.",
        "use {name} as the outer key.",
        "the outer key is {name}.",
        "make {name} the outer key.",
        "all of this should lie under {name}.",
        "place the object inside {name}.",
        "please enclose it in {name}.",
        "around it there should be {name}.",
    ),
    ("nest it below {name}.",),
)

_WRONG = (
    "Sorry, |Actually, |Correction: |Oh, |Hm, |I made a mistake: |Wait, |My error, |I mixed that up, |As I see now, "
    "|I was told that |Unlike what I said, "
).split("|")
_SORRY = (
    ", sorry about that|, I mixed that up|, so please use that|, please|, I was mistaken|, if you ask me"
    "|, please go by that from now on"
).split("|")
_SET = (
    "set {fact} to {new}",
    "change {fact} to {new}",
    "make {fact} {new}",
    "put {new} for {fact}",
    "use {new} for {fact}",
    "replace {old} by {new} in {fact}",
    "let {fact} be {new}",
    "write {new} for {fact}",
    "turn {fact} into {new}",
    "correct {fact} to {new}",
    "update {fact}, it is {new}",
)
_IS_NOW = (
    "{fact} is {new}",
    "{fact} must be {new}",
    "{fact} should be {new}, not {old}",
    "{fact} should be {new} instead of {old}",
    "{fact} is not {old} but {new}",
    "{new} is right for {fact}",
    "{fact} needs to be {new}",
    "{fact} has changed to {new}",
    "it should say {new} for {fact}",
    "{old} is wrong for {fact}, it is {new}",
    "{fact} was wrong, it is {new}",
    "{fact} is to be changed to {new}",
)
_ADD = (
    "add {fact}: {new}",
    "add {fact} = {new}",
    "also write {fact}, which is {new}",
    "include {fact}: {new}",
    "put in {fact} as well: {new}",
    "write {fact} too, namely {new}",
    "add a member {fact} with the value {new}",
    "enter {new} as {fact} too",
    "insert {fact}: {new}",
    "add {new} as {fact}",
)
_ALSO = (
    "{fact} is missing, it is {new}",
    "we also have {fact}: {new}",
    "I forgot {fact}, which is {new}",
    "{fact} comes in as well: {new}",
    "the object also has {fact}: {new}",
    "{fact} is {new} and belongs in there too",
    "a member is missing: {fact} is {new}",
    "{new} should be in there as {fact}",
)
_REMOVE = ("remove", "delete", "drop", "discard", "omit", "cross out", "get rid of")
_GONE = (
    "{fact} has to go",
    "{fact} is unknown now",
    "we do not know {fact} any more",
    "{fact} should not be in there",
    "{fact} does not belong in the object",
    "there is no {fact} any longer",
    "{fact} can go, nobody knows it",
    "no {fact} any more, please",
)
UPDATES = {
    "correction": Wordings(
        (
            *(f"{head}{told}." for head, told in product(("", "", "Please ", "Please ", "Sorry, "), _SET * 3)),
            *(f"{told}{tail}." for told, tail in product(_SET, _SORRY)),
            *(f"{told}." for told in _IS_NOW * 6),
            *(f"{head}{told}." for head, told in product(_WRONG, _IS_NOW)),
            *(f"{told}{tail}." for told, tail in product(_IS_NOW, _SORRY)),
        ),
        ("Overwrite {fact} with {new}.", "Swap the {old} of {fact} for {new}."),
    ),
    "addition": Wordings(
        (
            *(f"{head}{told}." for head, told in product(("", "", "", "Please ", "Also, "), _ADD)),
            *(f"{told}{tail}." for told, tail in product(_ADD, (", please", ", I nearly forgot", ", will you"))),
            *(f"{head}{told}." for head, told in product(("", "", "", "Sorry, ", "Oh, ", "By the way, "), _ALSO)),
        ),
        ("There is one more field: {fact} is {new}.", "Append {fact} with {new}."),
    ),
    "invalidation": Wordings(
        (
            *(
                f"{head}{verb} {{fact}}{tail}."
                for head, verb, tail in product(
                    ("", "", "Please ", "Sorry, "),
                    _REMOVE,
                    ("", "", ", it is not known", ", we do not know it", ", please", ", that is not known any more"),
                )
            ),
            *(f"{head}{told}." for head, told in product(("", "", "", "Sorry, ", "Oh, ", "I hear that "), _GONE * 2)),
        ),
        ("Leave {fact} out.", "Erase {fact}."),
    ),
}
_PUT_IN = (
    "add {item} to {fact}",
    "also put {item} into {fact}",
    "{fact} should include {item} too",
    "put {item} on the list of {fact}",
    "{item} belongs to {fact} too",
    "{item} is missing in {fact}",
    "{fact} lacks {item}",
    "let {fact} include {item}",
    "include {item} in {fact}",
    "there is also {item} in {fact}",
    "{item} should be in {fact} as well",
    "extend {fact} by {item}",
)
_TAKE_OUT = (
    "remove {item} from {fact}",
    "delete {item} from {fact}",
    "{fact} should not include {item}",
    "drop {item} from {fact}",
    "cross {item} off {fact}",
    "{item} does not belong to {fact}",
    "{item} is no longer in {fact}",
    "{fact} must do without {item}",
    "there should be no {item} in {fact}",
    "{fact} goes without {item}",
    "get rid of {item} in {fact}",
    "{item} has to go from {fact}",
)
_AROUND = (("", ""),) * 6 + (
    ("Sorry, ", ""),
    ("Oh, ", ""),
    ("One thing: ", ""),
    ("", ", please"),
    ("", ", sorry about that"),
    ("", ", if you ask me"),
)
LIST_UPDATES = {
    "addition": Wordings(
        tuple(f"{head}{told}{tail}." for told, (head, tail) in product(_PUT_IN, _AROUND)),
        ("Append {item} to {fact}.", "Let {fact} hold {item} as well."),
    ),
    "invalidation": Wordings(
        tuple(f"{head}{told}{tail}." for told, (head, tail) in product(_TAKE_OUT, _AROUND)),
        ("Take {item} out of {fact}.", "Strike {item} from {fact}."),
    ),
}
