"""How a prompt tells and asks, whatever it is about; none of this comes in the split `paraphrase`."""

from __future__ import annotations


def parted(text: str) -> tuple[str, ...]:
    """Wordings that a "/" parts, on one line each."""
    return tuple(" ".join(text.split()).split(" / "))


FRAMES = (
    *parted(
        """as far as I know, {tell} / as far as I know {tell} / I believe that {tell} / I hear that {tell} / they told
        me that {tell} / you should know that {tell} / please note that {tell} / suppose that {tell} / assume that
        {tell} / we know that {tell} / it is settled that {tell} / it is clear that {tell} / here is what I know:
        {tell} / if you ask me, {tell} / note: {tell} / just so you know, {tell} / I was told that {tell} / it says
        here that {tell} / imagine that {tell} / keep in mind that {tell}"""
    ),
    *parted(
        """{tell}, as far as I know / {tell}, I was told / {tell}, I believe / {tell}, if I remember well / {tell}, it
        seems / {tell}, I think / {tell}, you should know / {tell}, if you ask me / {tell}, they told me / {tell}, so
        they say / {tell}, that much is settled"""
    ),
)
"""What may stand around a clause of a prompt."""

ASK_ONE = (
    *(
        f"{lead}{verb} {{q}}{tail}."
        for lead in ("", "please ", "now ", "then ")
        for verb in ("tell me", "let me know", "work out", "find out", "figure out")
        for tail in ("", ", please", " if you can", ", would you")
        if not (lead == "please " and "please" in tail)
    ),
    *parted(
        """say {q}. / I want to know {q}. / I want you to tell me {q}. / what I want to know is {q}. / my question is
        {q}. / I have to know {q}. / it would help me to know {q}. / I am curious to know {q}. / all I ask is {q}. /
        help me find out {q}. / {q} is what I want to know. / {q} is my question. / {q}, please. / {q}, tell me. /
        from this, tell me {q}. / given all that, tell me {q}. / what I am after is {q}. / be so kind as to tell me
        {q}. / can you tell me {q}? / can you work out {q}? / could you tell me {q}? / do you know {q}? / would you
        tell me {q}? / would you please tell me {q}? / will you tell me {q}? / may I ask {q}? / may I know {q}?"""
    ),
)

ASK_MANY = (
    *(
        (intro, form)
        for intro in parted(
            """tell me, / tell me / please tell me / please say / let me know / let me know, step by step, / I want to
            know, / I want to know / work out / please work out / find out / report in this order: / answer in this
            order: / tell me in this order: / answer these questions: / here is what I ask: / say / now tell me"""
        )
        for form in ("{n}) {q}", "({n}) {q}", "{ordinal} {q}")
    ),
    ("answer in this order:", "as number {n} {q}"),
    *(
        ("", form)
        for form in parted(
            """question {n} is {q} / {ordinal} tell me {q} / {ordinal} say {q} / my {ordinal} question is {q} /
            {ordinal} let me know {q} / tell me {ordinal} {q} / as number {n} tell me {q} / question {n}: {q} / as
            answer {n} tell me {q} / {ordinal} I want to know {q} / the {ordinal} question is {q} / {ordinal} work
            out {q}"""
        )
    ),
)
