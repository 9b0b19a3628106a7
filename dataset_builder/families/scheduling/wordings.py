"""More ways in which a user words a schedule, beside the plain ones: other orders of the words, other verbs, other
frames, so that nobody can learn all clauses by heart. None of them comes in the split `paraphrase`.
"""

from __future__ import annotations

from typing import NamedTuple

from ..asking import parted


class More(NamedTuple):
    """Further known wordings of a thing; see `schedule_terms.Thing`."""

    told: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


_KNOWERS = ("do you know", "does anyone know", "can you tell me", "could you say", "may I ask")
"""What makes a question of what is asked for in a subordinate clause."""


def _more(told: str, asked: str = "", questions: str = "", indirect: str = "") -> More:
    """`indirect` is asked by all `_KNOWERS`."""
    found = parted(questions) if questions else ()
    found += tuple(f"{knower} {clause}?" for clause in (parted(indirect) if indirect else ()) for knower in _KNOWERS)
    return More(parted(told) if told else (), parted(asked) if asked else (), found)


def _point(noun: str, verb: str, other: str, plain: str) -> More:
    """The start or the end of an event."""
    return _more(
        *(
            text.replace("NOUN", noun).replace("VERB", verb).replace("OTHER", other).replace("PLAIN", plain)
            for text in (
                """the {x} will PLAIN at {v} / the {x} is to PLAIN at {v} / it is at {v} that the {x} VERB / the NOUN
                of the {x} is set for {v} / {v} is the NOUN of the {x} / for the NOUN of the {x} they gave {v} / you
                can expect the {x} to PLAIN at {v} / they let the {x} PLAIN at {v} / the {x} VERB at {v} sharp / at {v}
                sharp the {x} OTHER / {v} is the time for the {x} to PLAIN / someone told me {v} for the NOUN of the
                {x} / the time given for the NOUN of the {x} is {v} / as its NOUN the {x} has {v} / {v} was chosen as
                the NOUN of the {x}""",
                """when the {x} will PLAIN / when the {x} is to PLAIN / at which time the {x} VERB / the exact time of
                the NOUN of the {x} / when to expect the NOUN of the {x} / when one can expect the {x} to PLAIN / what
                time was set for the NOUN of the {x} / when exactly the {x} VERB / when the {x} is going to PLAIN /
                the time given for the NOUN of the {x} / when the {x} is due to PLAIN / the time for the {x} to
                PLAIN""",
                """when will the {x} PLAIN? / when exactly does the {x} PLAIN? / at which time does the {x} PLAIN? /
                when is the {x} going to PLAIN? / the {x} VERB when? / the {x} will PLAIN at what time? / the NOUN
                of the {x} is when? / for when is the NOUN of the {x} set? / when can one expect the {x} to PLAIN?""",
                "when the {x} OTHER / the NOUN of the {x}",
            )
        )
    )


MORE = {
    "start of": _point("start", "starts", "begins", "start"),
    "end of": _point("end", "ends", "finishes", "end"),
    "departure of": _point("departure", "leaves", "departs", "leave"),
    "arrival of": _point("arrival", "arrives", "gets in", "arrive"),
    "planned start of": _more(
        """the {x} was planned for {v} / the {x} is scheduled for {v} / the {x} is supposed to begin at {v} / our plan
        puts the {x} at {v} / {v} is what we planned for the {x} / in our plan the {x} begins at {v} / for the {x} the
        plan says {v} / {v} was planned for the {x} / we intend to begin the {x} at {v} / according to the plan the {x}
        begins at {v} / they scheduled the {x} for {v} / the planned start of the {x} is at {v} / if all goes by plan
        the {x} starts at {v} / it is planned that the {x} begins at {v}"""
    ),
    "earliest start of": _more(
        """the {x} may not begin before {v} / before {v} the {x} must not start / before {v} the {x} cannot begin / the
        {x} can begin at {v} at the earliest / the earliest start of the {x} is at {v} / the {x} has to wait until
        {v} / until {v} the {x} cannot start / we cannot begin the {x} before {v} / one cannot start the {x} before
        {v} / the {x} should begin no sooner than {v} / the {x} cannot start until {v} / only from {v} on can the
        {x} start / at {v} or later the {x} can start / starting the {x} before {v} is forbidden"""
    ),
    "duration of": _more(
        """the {x} lasts {v} minutes / the {x} will last {v} minutes / the {x} is {v} minutes long / the {x} runs for
        {v} minutes / for the {x} we need {v} minutes / {v} minutes are needed for the {x} / we set aside {v}
        minutes for the {x} / they give the {x} {v} minutes / you can expect the {x} to take {v} minutes / {v}
        minutes is how long the {x} lasts / the {x} uses up {v} minutes / it takes {v} minutes to get through the
        {x} / the duration given for the {x} is {v} minutes / as its duration the {x} has {v} minutes / {v} minutes
        were set aside for the {x}""",
        """how long the {x} lasts / how long the {x} will take / how many minutes the {x} lasts / how many minutes we
        need for the {x} / how much time to set aside for the {x} / how long the {x} is / what the duration of the {x}
        is / the number of minutes for the {x} / how many minutes long the {x} is / the duration given for the {x} /
        how long the {x} will last""",
        """how long will the {x} take? / how long does the {x} last? / how many minutes will the {x} last? / how many
        minutes does the {x} need? / how long is the {x}? / the {x} takes how long? / the {x} lasts how many minutes? /
        how much time should we set aside for the {x}? / how many minutes do we need for the {x}?""",
        "how long the {x} lasts",
    ),
    "day of": _more(
        """the {x} happens on {v} / the {x} is set for {v} / we have the {x} on {v} / on {v} we have the {x} / the date
        of the {x} is {v} / it is on {v} that the {x} happens / {v} was chosen for the {x} / they chose {v} as the
        day of the {x} / we keep {v} free for the {x} / the {x} will be on {v} / you can expect the {x} on {v} /
        the day chosen for the {x} is {v} / as its day the {x} has {v} / for the {x} they picked {v}""",
        """the date of the {x} / on what day the {x} happens / what day was chosen for the {x} / for which day the {x}
        is set / what the day of the {x} is / on which day we have the {x} / the day on which the {x} happens / on
        which day to expect the {x} / the day that was set for the {x} / the day chosen for the {x}""",
        """which day was chosen for the {x}? / for which day is the {x} set? / the {x} is on which day? / what is the
        date of the {x}? / on which day do we have the {x}? / on which day does the {x} happen? / the {x} happens on
        what day?""",
        "the day of the {x} / on which day the {x} is",
    ),
    "place of": _more(
        """the {x} happens in {v} / as the place of the {x} they chose {v} / the {x} can be found in {v} / they hold
        the {x} in {v} / the {x} will be in {v} / it is in {v} that the {x} takes place / the place booked for the
        {x} is {v} / we booked {v} for the {x} / for the {x} they booked {v} / in {v} there is the {x} / they put
        the {x} in {v} / as its place the {x} has {v} / people come to {v} for the {x} / the place chosen for the
        {x} is {v} / the {x} goes on in {v}""",
        """where they hold the {x} / where the {x} will be / in which place they hold the {x} / which place was booked
        for the {x} / where the {x} happens / what the place of the {x} is / the place where the {x} is / where I find
        the {x} / the place chosen for the {x} / which place the {x} has""",
        """where will the {x} be? / where do they hold the {x}? / where does the {x} happen? / which place was booked
        for the {x}? / the {x} is where? / the {x} takes place where? / what is the place of the {x}? / where do I
        find the {x}?""",
        "where the {x} is / the place of the {x}",
    ),
    "boarding place of": _more(
        """one can board the {x} at {v} / at {v} you board the {x} / as the boarding place of the {x} they gave {v} /
        the {x} goes from {v} / we take the {x} from {v} / from {v} the {x} departs / one boards the {x} at {v} /
        you will find the {x} at {v} / the {x} uses {v} / it is {v} that the {x} leaves from / as its boarding
        place the {x} has {v} / you have to go to {v} to board the {x} / the boarding place given for the {x} is
        {v}""",
        """where one boards the {x} / where I board the {x} / where the {x} departs from / from which place the {x}
        leaves / the place where I board the {x} / which boarding place the {x} has / what the boarding place of the
        {x} is / the boarding place given for the {x} / where I should board the {x} / from where the {x} leaves""",
        """where does the {x} depart from? / where can I board the {x}? / from which place does the {x} leave? / which
        boarding place does the {x} have? / what is the boarding place of the {x}? / the {x} leaves from where? / where
        should I board the {x}? / from where does the {x} leave?""",
        "where to board the {x}",
    ),
    "guest of": _more(
        """{v} visits the {x} / {v} will attend the {x} / {v} is coming to the {x} / {v} joins the {x} / {v} was
        invited to the {x} / they invited {v} to the {x} / the {x} is visited by {v} / at the {x} the guest is {v} / as
        its guest the {x} has {v} / it is {v} who attends the {x} / {v} is the guest of the {x} / the guest at the {x}
        is {v} / the guest of the {x} will be {v} / for the {x} they invited {v} / {v} will be a guest at the {x}""",
        """who visits the {x} / who will attend the {x} / who is coming to the {x} / who joins the {x} / who was
        invited to the {x} / which guest the {x} has / the one who attends the {x} / who the guest of the {x} is /
        who is the guest at the {x} / which guest comes to the {x}""",
        """who visits the {x}? / who will attend the {x}? / who is coming to the {x}? / who joins the {x}? / who was
        invited to the {x}? / which guest does the {x} have? / the guest of the {x} is who?""",
        "who attends the {x} / who was invited to the {x}",
    ),
    "way to": _more(
        """the way to the {x} takes {v} minutes / getting to the {x} takes {v} minutes / to get to the {x} you need {v}
        minutes / to get to the {x} takes {v} minutes / {v} minutes is the way to the {x} / one has to walk {v} minutes
        to the {x} / one needs {v} minutes to get to the {x} / {v} minutes is what it takes to get to the {x} / the
        trip to the {x} takes {v} minutes / I need {v} minutes for the way to the {x} / the way to the {x} costs you
        {v} minutes / it is a way of {v} minutes to the {x} / we have to travel {v} minutes to the {x}""",
        """how long the way to the {x} takes / how many minutes the way to the {x} takes / how many minutes one needs
        to get to the {x} / how much time the way to the {x} takes / how long I need to get to the {x} / how long
        the trip to the {x} takes / the number of minutes to the {x} / the duration of the way to the {x} / how
        many minutes we have to travel to the {x}""",
        """how long do I need to get to the {x}? / how long does the way to the {x} take? / how many minutes is the way
        to the {x}? / how many minutes does it take to get to the {x}? / how much time does it take to get to the {x}?
        / the way to the {x} takes how long? / how long does the trip to the {x} take?""",
        "how long the way to the {x} is",
    ),
    "time between": _more(
        """{v} minutes after the {x} {ends} the {y} starts / the {y} starts {v} minutes after the end of the {x} /
        between the {x} and the {y} there are {v} minutes / between the {x} and the {y} lie {v} minutes / {v}
        minutes lie between the {x} and the {y} / {v} minutes pass between the {x} and the {y} / the {x} {ends} {v}
        minutes before the {y} starts / the {y} comes {v} minutes after the {x} {ends} / we have {v} minutes between
        the {x} and the {y} / {v} minutes after the {x} is over the {y} begins / after the end of the {x} it takes
        {v} minutes for the {y} to start / the time from the end of the {x} to the start of the {y} is {v} minutes /
        the {y} will start {v} minutes after the {x} {ends}"""
    ),
    "break between": _more(
        """we need a break of {v} minutes between the {x} and the {y} / one has to keep a break of {v} minutes between
        the {x} and the {y} / between the {x} and the {y} there has to be a break of {v} minutes / between the {x}
        and the {y} a break of {v} minutes is needed / the break between the {x} and the {y} has to be {v} minutes /
        a break of {v} minutes is required between the {x} and the {y} / we have to plan a break of {v} minutes
        between the {x} and the {y} / everybody gets a break of {v} minutes between the {x} and the {y} / the {y}
        has to start {v} minutes after the {x} or later / the {y} may start no sooner than {v} minutes after the {x}
        / the {x} and the {y} need a break of {v} minutes between them / people must have a break of {v} minutes
        between the {x} and the {y}"""
    ),
    "right after": _more(
        """the {y} starts right after the {x} / as soon as the {x} {ends} the {y} starts / when the {x} {ends} the {y}
        begins / the {y} starts immediately after the {x} / immediately after the {x} comes the {y} / after the {x}
        the {y} starts at once / the {y} is next after the {x} / right after the {x} we have the {y} / when the {x}
        is over the {y} starts / as soon as the {x} is over the {y} begins / the {y} starts as soon as the {x} is
        over / the {y} is right after the {x} / without a pause the {y} follows after the {x} / the {y} starts the
        moment when the {x} {ends}"""
    ),
    "same day": _more(
        """the {x} and the {y} are on the same day / the {x} and the {y} have the same day / the {y} shares its day
        with the {x} / the {x} is on the same day as the {y} / for the {y} the day is the same as for the {x} / the
        day is the same for the {x} and the {y} / on the same day as the {x} there is the {y} / the {y} happens on
        the same day as the {x} / the same day was chosen for the {x} and the {y} / the {x} has the same day as the
        {y} / the {x} shares its day with the {y} / they chose the same day for the {y} as for the {x}"""
    ),
    "same place": _more(
        """the {x} and the {y} are in the same place / the {x} and the {y} have the same place / the {y} shares its
        place with the {x} / the {x} is in the same place as the {y} / for the {y} the place is the same as for the
        {x} / the place is the same for the {x} and the {y} / in the same place as the {x} there is the {y} / the
        {y} happens in the same place as the {x} / the same place was booked for the {x} and the {y} / the {x} has
        the same place as the {y} / the {x} shares its place with the {y} / they booked the same place for the {y}
        as for the {x}"""
    ),
    "time to leave for": _more(
        "",
        """when I should leave for the {x} / the time when I have to leave for the {x} / when one has to leave for the
        {x} / when it is time to leave for the {x} / by when I have to leave for the {x} / when we should leave for the
        {x} / at which time to leave for the {x} / when we must leave for the {x} / the right time to leave for the
        {x}""",
        """when do we have to leave for the {x}? / when is it time to leave for the {x}? / by when do I have to leave
        for the {x}? / at which time should I leave for the {x}? / when does one have to leave for the {x}? / when
        should we leave for the {x}? / I have to leave for the {x} when?""",
        "when I have to leave for the {x}",
    ),
    "gap between": _more(
        "",
        """how big the gap between the {x} and the {y} is / whether there is a gap or an overlap between the {x} and
        the {y} / if the {x} and the {y} overlap / whether the {x} and the {y} overlap / the size of the gap
        between the {x} and the {y} / how large a gap there is between the {x} and the {y} / what gap the {x} and
        the {y} have / what gap or overlap the {x} and the {y} have / whether there is a gap between the {x} and
        the {y}""",
        """what gap is there between the {x} and the {y}? / how big is the gap between the {x} and the {y}? / is there
        a gap or an overlap between the {x} and the {y}? / how large a gap is there between the {x} and the {y}? /
        between the {x} and the {y} is there a gap? / will the {x} and the {y} overlap? / what is the gap between
        the {x} and the {y}?""",
        "whether the {x} and the {y} overlap",
    ),
    "first of": _more(
        "",
        """which of the {x} and the {y} starts first / whether the {x} or the {y} starts first / which of the {x} and
        the {y} starts earlier / which comes first of the {x} and the {y} / the earlier of the {x} and the {y} /
        whether the {x} or the {y} is first / which one of the {x} and the {y} is the first / what comes first of
        the {x} and the {y}""",
        """which of the {x} and the {y} starts first? / does the {x} or the {y} start earlier? / is the {x} or the {y}
        first? / will the {x} or the {y} come first? / of the {x} and the {y} which comes first? / what comes first,
        the {x} or the {y}? / which starts earlier, the {x} or the {y}?""",
        "whether the {x} or the {y} comes first",
    ),
}

UPDATES = {
    "correction": parted(
        """Correction: {noun} is {new}, not {old}. / {Noun} is {new} now. / {Noun} has changed from {old} to {new}. /
        Change {noun} to {new}. / Make that {new} for {noun}. / I mixed that up: {tell}. / They changed it: {tell}.
        / News: {tell}. / {Noun} is {new} instead of {old}. / {Noun} is {new}, not {old}. / {Noun} is not {old} but
        {new}. / It is {new} rather than {old} for {noun}. / Please change {noun} from {old} to {new}. / Please set
        {noun} to {new}. / From now on {noun} is {new}. / Instead of {old} take {new} for {noun}. / I said {old} for
        {noun}, but it is {new}. / For {noun} it is {new} now. / As {noun} please use {new}. / Put down {new} for
        {noun}. / They moved {noun} from {old} to {new}. / {Noun} is now {new}, so please use that. / {Noun} should
        be {new}, sorry about that. / {Noun} was {old}, now it is {new}. / {Noun} is no more {old}, it is {new}. / I
        had {old} for {noun}, and that was wrong: {tell}. / With {noun} I was wrong: {tell}. / Let us have {new} for
        {noun}, please. / Sorry, it is {new} for {noun}, not {old}. / About {noun}: {tell}."""
    ),
    "refinement": parted(
        """A small change, {tell}. / I looked again: {tell}. / Make {noun} {new}, to be exact. / {Noun} is {new}, to be
        exact. / To be precise, {noun} is {new}. / Let me be exact about {noun}, it is {new}. / I can be more exact
        now: {tell}. / Exactly, {noun} is {new}. / For {noun} use {new}, that is more exact. / {Noun} is {new} if
        you want it exactly. / A small detail: {tell}. / I checked {noun}: {tell}. / If we take it exactly, {tell}."""
    ),
    "constraint": parted(
        """New rule: {tell}. / Mind this: {tell}. / There is a condition: {tell}. / I just learned that {tell}. / Here
        is a rule: {tell}. / A new rule says that {tell}. / They told us that {tell}. / Take note, {tell}. / {Tell},
        that is the rule now. / {Tell}, so please mind that. / {Tell}, and that is a firm condition. / Please obey
        this: {tell}. / {Tell}, they insist on it. / By a new rule {tell}. / Sorry, there is a new rule: {tell}."""
    ),
    "invalidation": parted(
        """{Noun} is open again. / {Noun} is open now. / {Noun} is no longer settled. / Forget {old} for {noun}, it is
        open. / {Noun} is not settled any more. / For now {noun} is open. / It is open again: {noun}. / We no longer
        have {noun}. / As {noun}, {old} is no longer right. / {Old} no longer holds for {noun}. / Sorry, but {noun}
        is open again. / {Noun} has become open again. / Nobody can tell {noun} now. / We have to leave {noun} open.
        / They left {noun} open. / {Noun}, sorry to say, is open again. / I no longer have {old} as {noun}, it is
        open."""
    ),
    "addition": parted(
        """Now {noun} is settled: {tell}. / Here is {noun}: {new}. / {Noun} is {new}, we learn. / At last {noun} is
        known, it is {new}. / We now have {noun}: {new}. / {Noun} is {new}, I forgot to say. / I also know {noun},
        it is {new}. / {Noun} has been settled, it is {new}. / Please note {noun}: {new}. / Finally we know that
        {tell}. / It is clear by now that {tell}. / For {noun} they chose {new}. / {Noun} was missing, it is {new}.
        / About {noun}: {tell}. / Now we know {noun}, namely {new}. / They told me {noun}: {new}."""
    ),
}

LIFTED = {
    "earliest start of": parted(
        """The {x} may start at any time again. / There is no earliest start of the {x} any more. / Forget the earliest
        start of the {x}. / The limit on the start of the {x} is gone. / The {x} can start at any time now. / There is
        no limit on the start of the {x} any more. / The earliest start of the {x} no longer counts. / At any time the
        {x} may start now. / The {x} no longer has an earliest start. / We no longer need the limit on the start of the
        {x}. / Drop the earliest start of the {x}. / The rule about the earliest start of the {x} is gone. / Forget the
        limit on the start of the {x}."""
    ),
    "break between": parted(
        """No break is needed between the {x} and the {y} any more. / There is no break between the {x} and the {y}
        now. / Forget the break between the {x} and the {y}. / We drop the break between the {x} and the {y}. / The
        break between the {x} and the {y} is gone. / Between the {x} and the {y} no break is needed any more. / We
        no longer need a break between the {x} and the {y}. / The {x} and the {y} no longer need a break between
        them. / Drop the break between the {x} and the {y}. / Nobody needs a break between the {x} and the {y} any
        more. / The rule about the break between the {x} and the {y} is gone. / They dropped the break between the
        {x} and the {y}."""
    ),
}

PUT_OFF = parted(
    """The {x} is put off, and nobody knows until when. / They put the {x} off, its start is open. / The start of the
    {x} has been moved, but nobody says to when. / The {x} has been moved, and its start is open. / They moved the
    {x}, but nobody knows to when. / The {x} is put off, its start is open. / Nobody knows when the {x} starts now.
    / We had to put off the {x}, and nobody knows until when. / The {x} will start at a time that nobody knows yet.
    / The {x} does not start as I said, its start is open. / They have put off the {x} and nobody knows until when."""
)
