"""What is heard in logic redirection: how prompts tell premises and rules and ask, and how either changes.

Many wordings are made of parts, so that what a clause says has to be read, not which template it is. No comma within a
clause of the prompt: it would be heard as two. Parts that come more than once are drawn more often.
"""

from __future__ import annotations

from itertools import product

from ...speech.grammar import Wordings


_TELLS = (
    *("{p}",) * 8,
    *("{truth}",) * 3,
    "the {key} turns out to be {v}",
    "the {key} is known to be {v}",
    "the {key} counts as {v}",
    "the {key} proves to be {v}",
    "{v} is what the {key} is",
    "the right word for the {key} is {v}",
    "we found the {key} to be {v}",
    "there is no doubt that {p}",
)
"""Of a premise: clauses that may stand behind "that"."""
_KNOWN = (
    "we know that|it holds that|assume that|take it that|suppose that|it is known that|as things stand|at present"
    "|I can tell you that|it so happens that|remember that|note that|keep in mind that|you may assume that"
    "|start from the fact that|it has been established that|we may rely on it that|I have heard that|we agreed that"
    "|for a start|it is certain that|the first thing to know is that"
).split("|")
_SURE = (
    "for sure|as it happens|to begin with|as I was told|at the moment|and that is certain|in our case|if you ask me"
    "|by all accounts"
).split("|")
PREMISE = Wordings(
    (
        *map("".join, product(("",) * 20 + tuple(f"{head} " for head in _KNOWN), _TELLS, ("",) * 12)),
        *(f"{told} {tail}" for told, tail in product(_TELLS * 5, _SURE)),
        *(
            (
                "assume the {key} to be {v}",
                "take the {key} to be {v}",
                "regard the {key} as {v}",
                "think of the {key} as {v}",
                "let the {key} be {v}",
                "we know the {key} to be {v}",
            )
            * 100
        ),
    ),
    ("let us say that {p}", "it is given that {p}", "as far as we know {p}"),
)
_CONCLUSIONS = (
    *("{d}",) * 8,
    "{s} has to be {v}",
    "{s} turns out to be {v}",
    "{s} will be {v}",
    "{s} is sure to be {v}",
)
_RULES = (
    "if {c} then {d}",
    "{d} if {c}",
    "when {c} then {d}",
    "{d} whenever {c}",
    "{d} when {c}",
    "in case {c} {d}",
    "{d} in case {c}",
    "{d} provided that {c}",
    "{d} on condition that {c}",
    "{d} as long as {c}",
    "{d} once {c}",
    "in the event that {c} {d}",
    "should it be that {c} then {d}",
    "whenever {c} you can conclude that {d}",
    "where {c} it follows that {d}",
    "from the fact that {c} it follows that {d}",
    "every time that {c} {d}",
    "we may conclude that {d} if {c}",
    "to know that {d} it is enough that {c}",
    "it follows from the fact that {c} that {d}",
)
_THAT_RULES = ("that {c} means that {d}", "that {c} implies that {d}", "that {d} follows from the fact that {c}")
_RULE_HEADS = (
    *("",) * 12,
    "remember that ",
    "one rule says that ",
    "there is a rule that ",
    "note that ",
    "we agreed that ",
    "by the rules ",
    "take it as a rule that ",
    "I can tell you that ",
)
_RULE_TAILS = (*("",) * 9, " without exception", " by rule", " for certain")


def _concluding(forms: tuple[str, ...]) -> tuple[str, ...]:
    """Each of some wordings of a rule with every way to put what it concludes."""
    return tuple(form.replace("{d}", conclusion) for form in forms for conclusion in _CONCLUSIONS)


RULE = Wordings(
    (
        *map("".join, product(_RULE_HEADS, _concluding(_RULES), _RULE_TAILS)),
        *(_concluding(_THAT_RULES) * 30),
    ),
    ("given that {c} we have that {d}", "{d} as soon as {c}", "assuming that {c} it is true that {d}"),
)
RULE_OTHERWISE = Wordings(
    tuple(
        map(
            "".join,
            product(
                _RULE_HEADS,
                _concluding(
                    (
                        "if {c} then {d} and otherwise {w}",
                        "if {c} then {d} and if not then {w}",
                        "{d} if {c} but {w} otherwise",
                        "when {c} then {d} but otherwise {w}",
                        "if {c} then {d} or else {w}",
                        "{d} if {c} and {w} if not",
                        "{d} whenever {c} and {w} in all other cases",
                        "in case {c} {d} and in any other case {w}",
                        "{d} provided that {c} and {w} if that is not so",
                        "as long as {c} {d} but in all other cases {w}",
                        "{d} on condition that {c} and without that {w}",
                        "{s} is {w} unless {c} and then {v}",
                        "unless {c} {s} is {w} but in that event {v}",
                        "depending on whether {c} {s} is {v} or {w}",
                        "{s} is {v} or {w} depending on whether {c}",
                    )
                ),
            ),
        )
    ),
    (
        "given that {c} we have that {d} and failing that {w}",
        "assuming that {c} it is true that {d} but failing that {w}",
    ),
)
ASK_VALUE = Wordings(
    (
        "what follows for {s}",
        "what we know of {s}",
        "what is true of {s}",
        "what the rules say of {s}",
        "what to conclude for {s}",
        "what we may conclude about {s}",
        "what becomes of {s}",
        "what {s} turns out to be",
        "how things stand with {s}",
        "what the premises mean for {s}",
        "what all this means for {s}",
        "which conclusion there is for {s}",
        "what the rules make of {s}",
        "the conclusion about {s}",
        "what it all comes to for {s}",
        "what to think of {s}",
        "what results for {s}",
        "what one has to say about {s}",
    ),
    ("what can be said of {s}", "what holds for {s}"),
)
ASK_NAME = Wordings(
    (
        "who {s} is",
        "who is {s}",
        "which person is {s}",
        "which person {s} is",
        "who {s} turns out to be",
        "whom the rules make {s}",
        "who acts as {s}",
        "who will be {s}",
        "who comes out as {s}",
        "who ends up as {s}",
        "who it is that is {s}",
        "which of the people is {s}",
    ),
    ("who must be {s}", "who serves as {s}"),
)
ASK_WHICH = Wordings(
    (
        "whether {s} is {a} or {b}",
        "whether {s} is {a} or rather {b}",
        "whether to call {s} {a} or {b}",
        "whether the rules make {s} {a} or {b}",
        "whether {s} turns out to be {a} or {b}",
        "whether {s} comes out as {a} or {b}",
        "whether {a} or {b} is right for {s}",
        "whether it is {a} or {b} that describes {s}",
        "which of {a} and {b} {s} is",
        "which of the two {s} is {a} or {b}",
        "what to call {s} {a} or {b}",
        "whether one should think of {s} as {a} or as {b}",
    ),
    ("what {s} is out of {a} and {b}", "which one is true of {s} {a} or {b}"),
)
ASK_WHETHER = Wordings(
    (
        "whether {s} is {a}",
        "whether it follows that {s} is {a}",
        "whether it is true that {s} is {a}",
        "whether {s} turns out to be {a}",
        "whether {s} comes out as {a}",
        "whether {s} is indeed {a}",
        "whether {s} has to be {a}",
        "whether or not {s} is {a}",
        "whether or not it follows that {s} is {a}",
        "whether the rules say that {s} is {a}",
        "whether one may conclude that {s} is {a}",
        "whether it is right to say that {s} is {a}",
        "whether you would say that {s} is {a}",
        "whether all this means that {s} is {a}",
        "whether {s} will be {a}",
    ),
    ("whether {s} must be {a}", "whether it is the case that {s} is {a}"),
)
_REQUESTS = (
    "tell me|please tell me|find out|please find out|work out step by step|I want to know|I would like to know|say"
    "|please say|let me know|reason step by step and tell me|think it through and tell me|go through the rules and say"
    "|use the rules to find out|show me|help me find out|my question is|what I need to know is|I am asking you"
    "|give me an answer to the question"
).split("|")
ASK_ONE = Wordings(
    (
        *(f"{request} {{q}}." for request in _REQUESTS * 2),
        "can you tell me {q}?",
        "could you find out {q}?",
        "would you let me know {q}?",
        "do you know {q}?",
        "may I ask you {q}?",
        "{q} is what I want to know.",
        "{q} is my question.",
        "{q} is what you should find out.",
        "{q} is for you to say.",
        "once you have thought about it tell me {q}.",
        "it would help me to know {q}.",
        "tell me {q} and how you get there.",
    ),
    ("explain to me {q}.", "I wonder {q}.", "please determine {q}."),
)
_INTROS = (
    "tell me,|tell me|please tell me|please find out|work out step by step:|I want to know,|I want to know|say"
    "|let me know|answer in this order:|find out one by one|I would like to know|reason step by step and say"
    "|can you tell me|here are my questions:|go through the rules and say|answer these questions:|show me"
    "|what I need to know is"
).split("|")
_PLACED = ("{n}) {q}", "{n}) {q}", "({n}) {q}", "{ordinal} {q}", "as number {n} {q}", "{q} as number {n}")
ASK_MANY = (
    *product(_INTROS, _PLACED),
    *(
        ("", item)
        for item in (
            "question {n} is {q}",
            "{ordinal} tell me {q}",
            "the {ordinal} question is {q}",
            "my {ordinal} question is {q}",
            "{ordinal} find out {q}",
            "{ordinal} I want to know {q}",
            "as question {n} I ask {q}",
            "{q} is question {n}",
            "{q} is what I ask {ordinal}",
            "tell me {ordinal} {q}",
            "please say {ordinal} {q}",
            "answer {n} should tell me {q}",
        )
        * 3
    ),
)
ASK_MANY_UNSEEN = (("explain", "{n}) {q}"), ("work out", "{ordinal} {q}"), ("", "item {n} is {q}"))
"""What opens the questions, and how each carries its place within its own clause."""

_DROPPED = ("the assumption that {was}", "the premise that {was}", "the claim that {was}", "the idea that {was}")
CHANGES = {
    "correction": Wordings(
        (
            *(
                f"{lead}{{p}}{tail}"
                for lead, tail in product(
                    (
                        "Assumption: |New assumption: |Assume instead that |Suppose from now on that "
                        "|As it turns out, |Drop that assumption, |Please assume now that |It turns out that "
                        "|We were wrong, |Unlike what I said, |The premise has changed: "
                        "|You should rather assume that |In reality, |One premise was wrong: "
                        "|One premise needs correcting: |Let me change a premise: "
                    ).split("|"),
                    (
                        ".",
                        ".",
                        " after all.",
                        ", I was mistaken.",
                        ", please go by that from now on.",
                        ", so use that.",
                    ),
                )
            ),
            *(
                (
                    "{P} after all.",
                    "{P}, that is what you should assume.",
                    "{P}, and that changes things.",
                    "{P}, I had it the wrong way round.",
                    "{P}, please reason from that instead.",
                    "It is wrong that {was}.",
                    "It is no longer true that {was}.",
                    "It is false that {was}.",
                    "I take it back that {was}, the opposite is true.",
                    "I said that {was}, but the opposite is true.",
                    "You heard that {was}, but that is false.",
                    "That {was} is no longer true.",
                    "That {was} is false.",
                    "The premise that {was} is false, I am sorry.",
                    "The assumption that {was} was wrong, the opposite is true.",
                    "{Was}? No, the opposite is true.",
                    "Did I say that {was}? The opposite is true.",
                    "Since it is false that {was}, please think again.",
                )
                * 4
            ),
        ),
        (
            "Let us assume the contrary, that {p}.",
            "On second thought, {p}.",
            "Swap the assumption that {was} for its opposite.",
        ),
    ),
    "invalidation": Wordings(
        (
            *(
                f"{verb} {dropped}{tail}"
                for verb, dropped, tail in product(
                    ("Drop", "Withdraw", "Give up", "Discard", "Abandon", "Please drop", "We have to give up"),
                    _DROPPED,
                    (".", ".", ", please.", ", it is unfounded.", ", we know nothing about it now."),
                )
            ),
            *(
                (
                    "Do not assume any more that {was}.",
                    "Do not take it for granted any more that {was}.",
                    "You can no longer assume that {was}.",
                    "There is no reason any more to think that {was}.",
                    "The premise that {was} has been withdrawn.",
                    "The assumption that {was} has to go.",
                    "That {was} was only a guess, nobody knows.",
                    "I said that {was}, but in truth nobody knows.",
                    "It is uncertain now whether {plain}.",
                    "Nobody knows any more whether {plain}.",
                    "We no longer know whether {plain}.",
                    "I am no longer sure whether {plain}.",
                    "Whether {plain} is unknown now.",
                    "Whether {plain} is anybody's guess now.",
                    "Treat it as unknown whether {plain}.",
                    "Who knows whether {plain}? Nobody does any more.",
                    "There is no telling now whether {plain}.",
                )
                * 8
            ),
        ),
        ("Set the premise aside that {was}.", "Now we cannot tell whether {plain}."),
    ),
    "addition": Wordings(
        (
            *(
                f"{lead}{{p}}{tail}"
                for lead, tail in product(
                    (
                        "We now know that |One more premise: |Assume also that |It has become known that "
                        "|Add the assumption that |Another premise: |Here is another premise: |Take into account that "
                        "|I can now tell you that |We have learned that |It came out that "
                        "|There is one more assumption: |You may now assume that |Add to the premises that "
                        "|We have just found out that |Please assume as well that "
                    ).split("|"),
                    (".", ".", ".", ", as we just learned.", ", so take that into account.", ", which is news to us."),
                )
            ),
            *(
                (
                    "{P}, that is a new premise.",
                    "{P}, and you may rely on that from now on.",
                    "{P}, please use that as well.",
                    "{P}, which we did not know before.",
                )
                * 6
            ),
        ),
        ("As a further premise, {p}.", "Suppose in addition that {p}."),
    ),
}
"""For a premise: `{p}` is the clause that tells it now, `{was}` the one before, `{plain}` the one without "not"."""
RULE_CHANGES = {
    "correction": Wordings(
        (
            *(
                f"{lead}{{p}}{tail}"
                for lead, tail in product(
                    (
                        "I got a rule wrong: |Correction of a rule: |Change a rule: |The rule is now that "
                        "|A rule has changed: |One of the rules was wrong: |Replace a rule: |One rule now says that "
                        "|One rule reads differently now: |The right rule is that |Here is a rule in its new form: "
                    ).split("|"),
                    (".", ".", ".", ", please go by that.", ", so reason with that.", ", I am sorry."),
                )
            ),
            *(
                (
                    "{P}, that is how the rule goes now.",
                    "{P}, I had that rule wrong.",
                    "{P}, by the new version of the rule.",
                )
                * 6
            ),
        ),
        ("One rule should have been that {p}.", "Please rewrite a rule: {p}."),
    ),
    "constraint": Wordings(
        (
            *(
                f"{lead}{{p}}{tail}"
                for lead, tail in product(
                    (
                        "New rule: |One more rule: |There is a new rule: |Add a rule: |From now on this holds too: "
                        "|Respect this rule as well: |Here is another rule: |It is now a rule that |A rule was added: "
                        "|Please follow one more rule: |We have agreed on a new rule: |I forgot a rule: "
                    ).split("|"),
                    (".", ".", ".", ", please go by that as well.", ", so keep to that."),
                )
            ),
            *(("{P}, that is a new rule.", "{P}, and that goes for all.", "{P}, which is a rule as of now.") * 5),
        ),
        ("A further rule: {p}.", "The rules have grown by one: {p}."),
    ),
    "invalidation": Wordings(
        (
            *(
                f"{verb} the rule that {{was}}{tail}"
                for verb, tail in product(
                    (
                        "Drop",
                        "Delete",
                        "Discard",
                        "Give up",
                        "Remove",
                        "Do not use",
                        "We no longer go by",
                        "Please drop",
                    ),
                    (".", ".", ", please.", ", it is void."),
                )
            ),
            *(
                (
                    "The rule that {was} is void.",
                    "Do not use the rule any more that {was}.",
                    "The rule that {was} no longer applies.",
                    "The rule that {was} has been abolished.",
                    "There is no longer a rule that {was}.",
                    "It is no longer a rule that {was}.",
                    "{Was}? That is no longer a rule.",
                )
                * 3
            ),
        ),
        ("Strike the rule that {was}.", "Set the rule aside that {was}."),
    ),
}
TELL = Wordings(_TELLS, ("it is the case that {p}", "it is so that {p}"))
TELL_RULE = Wordings(
    (
        *(("{d} if {c}", "if {c} then {d}") * 4),
        *_concluding(
            ("{d} if {c}", "if {c} then {d}", "{d} whenever {c}", "when {c} then {d}", "{d} provided that {c}")
        ),
        "in case {c} {d}",
        "{d} on condition that {c}",
        "from the fact that {c} it follows that {d}",
    ),
    ("{d} as soon as {c}", "given that {c} we have that {d}"),
)
