"""More ways in which a user words lists, their edits and questions about them, beside the plain ones; none of them
comes in the split `paraphrase`. No clause opens with an item, which would get a capital there.
"""

from __future__ import annotations

from ..asking import parted


WHOLE = parted(
    """{on} we have {all} / {on} there are {all} / the {L} consists of {all} / the {L} is made up of {all} / for the
    {L} we have {all} / you will find {all} {on} / in this order {on} come {all} / the {ns} {on} are {all} / as {ns}
    the {L} has {all} / we put {all} {on} / the {L} holds {all} / it is {all} that the {L} has / they chose {all}
    for the {L} / {on} they want {all} / in order the {ns} of the {L} are {all} / the {L} lists {all}"""
)
JOINTS = (" and then ", " followed by ", " before ", " and afterwards ", " and thereafter ", " and right after it ")

PLACED = parted(
    """{on} the {nth} {n} is {X} / {n} {k} {on} is {X} / as {n} {k} the {L} has {X} / as the {nth} {n} the {L} has {X}
    / {on} {X} is {n} {k} / {on} {X} is the {nth} {n} / {on} we have {X} as {n} {k} / it is {X} that is {n} {k} of
    the {L} / for {n} {k} of the {L} we have {X} / the {nth} {n} {on} will be {X} / {n} {k} of the {L} will be {X} /
    {on} {X} was chosen as {n} {k} / they chose {X} as the {nth} {n} of the {L} / we put {X} down as {n} {k} of the
    {L} / you will find {X} as the {nth} {n} of the {L} / {n} number {k} of the {L} is {X}"""
)
"""Which item has a place, by its number."""

REPLACED = parted(
    """{on} {X} comes instead of {Y} / {on} we have {X} instead of {Y} / {on} {X} replaces {Y} / {on} {Y} gives way to
    {X} / {on} {Y} is replaced by {X} / instead of {Y} the {L} has {X} / the {L} has {X} instead of {Y} / {on} {Y}
    becomes {X} / {on} there is {X} where {Y} was / {n} {k} of the {L} is not {Y} but {X} / {on} {n} {k} changes
    from {Y} to {X} / {n} {k} of the {L} becomes {X}"""
)
REPLACE = parted(
    """swap {Y} for {X} {on} / exchange {Y} for {X} {on} / substitute {X} for {Y} {on} / set {n} {k} of the {L} to {X}
    / use {X} instead of {Y} {on} / let {n} {k} of the {L} be {X} / let {X} take the place of {Y} {on} / let {X}
    replace {Y} {on} / write {X} instead of {Y} {on} / turn {Y} into {X} {on} / have {X} instead of {Y} {on} / put
    {X} down as {n} {k} of the {L} / make the {nth} {n} of the {L} {X} / put {X} where {Y} is {on} / change the
    {nth} {n} of the {L} to {X}"""
)
MOVED = parted(
    """{on} {X} is {at} / {on} you find {X} {at} / {on} we have {X} {at} / it is {there} that {X} comes {on} / {on} {X}
    has to come {there} / {on} {X} should come {there} / the {L} now has {X} {at} / {on} {X} is placed {at} / {on}
    {X} is moved so that it comes {there} / {on} the place for {X} is {at} / {there} {on} we have {X} / {on} {X}
    will be {at} / {on} they put {X} {at}"""
)
MOVE = parted(
    """place {X} {at} {on} / move {X} {at} {on} / change the place of {X} {on} so that it comes {there} / let {X} be
    {at} {on} / make {X} come {there} {on} / have {X} come {there} {on} / arrange the {L} so that {X} comes {there}
    / reorder the {L} so that {X} comes {there} / take {X} {on} and put it {at} / rearrange the {L} and put {X} {at}
    / bring {X} {on} to the place {at} / give {X} the place {at} {on}"""
)
SWAPPED = parted(
    """the {nth} {n} {on} is {X} and the {jth} is {Y} / {on} {X} is {n} {k} and {Y} is {n} {j} / {on} {X} is the {nth}
    {n} and {Y} is the {jth} / as {n} {k} the {L} has {X} and as {n} {j} {Y} / {n} {k} of the {L} is {X} while {n}
    {j} is {Y} / {on} {n} {k} is {X} whereas {n} {j} is {Y} / {on} the {nth} {n} is {X} and the {jth} {n} is {Y} /
    {n} {k} {on} is {X} and {n} {j} {on} is {Y} / {on} {n} {k} will be {X} and {n} {j} will be {Y}"""
)
SWAP = parted(
    """let {n} {k} of the {L} be {X} and {n} {j} be {Y} / set {n} {k} of the {L} to {X} and {n} {j} to {Y} / change {n}
    {k} of the {L} to {X} and {n} {j} to {Y} / make {X} the {nth} {n} and {Y} the {jth} of the {L} / let {X} be the
    {nth} {n} and {Y} the {jth} {on} / put {X} down as {n} {k} and {Y} down as {n} {j} of the {L} / turn {n} {k} of
    the {L} into {X} and {n} {j} into {Y} / make {n} {k} of the {L} {X} and {n} {j} {Y}"""
)
INSERTED = parted(
    """{on} {X} comes {there} / {on} {X} is {at} / {on} we have {X} {at} / {on} {X} is added {at} / {on} {X} is new
    {at} / {on} {X} has been put {at} / {on} you find {X} {at} / {on} {X} has its place {at} / {there} {on} comes
    {X} / the {L} gets {X} {at} / the {L} also has {X} {at} / {on} there is also {X} {at} / they added {X} to the
    {L} {at} / they put {X} {on} {at} / {on} {X} was missing {at}"""
)
INSERT = parted(
    """squeeze {X} in {at} {on} / place {X} {at} {on} / let {X} come {there} {on} / have {X} {at} {on} / let the {L}
    have {X} {at} / let {X} join the {L} {at} / write {X} {on} {at} / enter {X} {at} {on} / extend the {L} by {X}
    {at} / put {X} down {at} {on} / include {X} {at} {on} / make {X} come {there} {on} / let {X} be {at} {on} /
    insert {X} into the {L} {at} / add {X} as well {at} {on}"""
)
REMOVED = parted(
    """the {L} does not have {Y} / the {L} is without {Y} / {on} we can do without {Y} / {on} {Y} is gone / {on} {Y}
    falls away / {on} nobody wants {Y} / {on} we have to do without {Y} / {on} {Y} has been dropped / {on} {Y} was
    removed / {on} {Y} is no longer there / the {L} has lost {Y} / they took {Y} off the {L} / the {L} leaves {Y}
    out / {on} {Y} does not come any more / they dropped {Y} from the {L} / they removed {Y} from the {L} / {on} {Y}
    has been crossed off"""
)
REMOVE = parted(
    """take {Y} off the {L} / cross {Y} off the {L} / cut {Y} from the {L} / erase {Y} from the {L} / get {Y} off the
    {L} / skip {Y} {on} / do without {Y} {on} / omit {Y} {on} / take {Y} out of the {L} / let {Y} disappear from the
    {L} / clear {Y} from the {L} / cancel {Y} {on} / leave out {Y} {on} / let the {L} do without {Y} / strike {Y}
    off the {L} / have {Y} removed from the {L}"""
)
LIMITED = parted(
    """{n} {k} is the last {n} of the {L} / the {L} has no more than {k} {ns} / we keep only the first {k} {ns} of the
    {L} / {on} nothing comes after {n} {k} / {on} {Y} has to be the last {n} / {on} everything after {Y} is dropped
    / {on} everything after {n} {k} is dropped / the {L} has to end with {Y} / the {L} must end after {n} {k} / only
    {k} {ns} are allowed {on} / {on} at most {k} {ns} are allowed / the {L} cannot have more than {k} {ns} / {on}
    {n} {k} has to be the last"""
)
LIMIT = parted(
    """end the {L} after {n} {k} / end the {L} with {Y} / let the {L} end with {Y} / let the {L} end after {n} {k} /
    cut the {L} off after {Y} / remove everything after {Y} from the {L} / delete everything after {n} {k} from the
    {L} / keep no more than {k} {ns} {on} / limit the {L} to the first {k} {ns} / reduce the {L} to the first {k}
    {ns} / leave out everything after {Y} {on} / drop all {ns} after {n} {k} from the {L}"""
)
REFINED = parted(
    """{on} {Y} means {X} / {on} with {Y} I mean {X} / when I say {Y} {on} I mean {X} / {on} {Y} is short for {X} /
    {on} I called {X} just {Y} / {on} the full name of {Y} is {X}"""
)
COUNTED = parted(
    "{on} there are {c} {ns} / {on} we have {c} {ns} / the number of {ns} {on} is {c} / the {L} is {c} {ns} long"
)
FOUND = parted("{on} {X} is {at} / {on} you find {X} {at} / {on} {X} belongs {at} / the place of {X} {on} is {at}")

PLACES = {
    "first": (
        ("first", "at the beginning", "first of all", "as the first"),
        ("at the start", "at the beginning", "at the head"),
    ),
    "last": (
        ("last", "at the end", "last of all", "as the last"),
        ("at the end", "at the bottom", "behind all others"),
    ),
    "after": (
        ("right after {Y}", "immediately after {Y}", "just after {Y}", "right behind {Y}"),
        ("right after {Y}", "immediately after {Y}", "just after {Y}", "right behind {Y}"),
    ),
    "before": (
        ("right before {Y}", "immediately before {Y}", "just before {Y}"),
        ("right before {Y}", "immediately before {Y}", "just before {Y}"),
    ),
}
"""Where something comes, and where it belongs."""

_DOING = (
    *(
        f"{lead} {{do}}."
        for lead in parted(
            """Please / Actually, / Wait, / Sorry, / No, / Hold on, / I want you to / It is better to / I have changed
            my mind, / We had better / They want us to / You should / You have to / Let us / I ask you to / Now
            please / Instead, / We need to / If you can, / Listen,"""
        )
    ),
    *(
        f"{{Do}}, {tail}."
        for tail in parted("please / sorry about that / if you can / will you / I forgot that / thank you")
    ),
    *parted("Can you {do}? / Would you {do}? / Will you please {do}? / Would you mind? Please {do}."),
)
COMMANDS = {
    "correction": ("{do}.", "{do}.", "{do}.", *_DOING),
    "addition": (
        "{do}.",
        "{do}.",
        "{do}.",
        "Also, {do}.",
        "Oh, and {do}.",
        "And {do}.",
        "One more thing, {do}.",
        *_DOING,
    ),
    "invalidation": ("{do}.", "{do}.", "{do}.", *_DOING),
    "constraint": (
        "{do}.",
        "{do}.",
        "{do}.",
        "New limit: {do}.",
        "There is a limit, {do}.",
        "By a new rule {do}.",
        *_DOING,
    ),
}
LOSSES = parted(
    """{tell}. / {tell}. / Actually, {tell}. / Sorry, {tell}. / I just heard that {tell}. / News: {tell}. / They told
    me that {tell}. / It seems that {tell}. / Hold on, {tell}. / {Tell}, I am afraid. / {Tell}, sorry about that. /
    We learned that {tell}. / I have to say that {tell}. / Sad to say, {tell}. / {Tell}, they say. / From now on
    {tell}. / Please note that {tell}. / {Tell}, so please mind that."""
)
OBJECTIONS = parted(
    """You are wrong about the {L}, {tell}. / No! {Tell}. / Not true, {tell}. / You have the {L} wrong: {tell}. / You
    misread the {L}, {tell}. / Look at the {L} again: {tell}. / Check the {L}, {tell}. / {Tell}, so you are wrong
    about the {L}. / {Tell}, whatever you say. / That is not right, {tell}. / Wrong, {tell}. / With the {L} you are
    mistaken: {tell}. / You mixed up the {L}, {tell}. / Hey, {tell}. / {Tell}, and not as you said. / I know the
    {L}, and {tell}. / That can't be, {tell}."""
)

_ALL = parted(
    """the {ns} of the {L} from first to last / all that is {on} in order / the {L} from start to end / the {L} from
    beginning to end / all {ns} {on} from the first to the last / what {ns} there are {on} in order / which {ns} the
    {L} has in order / the entire {L} in order / the {ns} {on} in their order / the full {L} in order / what the {L}
    has from first to last / the {ns} {on} in the right order / every {n} {on} in order"""
)
QUESTIONS = {
    "all": _ALL,
    "all and count": tuple(
        f"{everything} {count}"
        for everything in (*_ALL[::2], "all {ns} of the {L} in order", "the whole {L} in order")
        for count in ("and how many there are", "and their number", "along with their number")
    ),
    "count": parted(
        """how many {ns} are {on} / how many {ns} there are in all {on} / how many {ns} we have {on} / what number of
        {ns} the {L} has / how many {ns} {on} there are / how many {ns} the {L} consists of / how many {ns} one
        finds {on} / how many {ns} belong to the {L} / how many {ns} make up the {L} / the total number of {ns} {on}"""
    ),
    "last": parted(
        """the {n} at the end of the {L} / which {n} is the last {on} / which {n} comes last {on} / what comes last
        {on} / what is last {on} / the very last {n} of the {L} / what the last {n} {on} is / which {n} ends the {L}
        / with which {n} the {L} ends / what the {L} has at its end / what is the last {n} of the {L}"""
    ),
    "at": parted(
        """{n} {k} of the {L} / what the {nth} {n} of the {L} is / which {n} is number {k} {on} / what comes as {n} {k}
        {on} / what is {n} {k} of the {L} / which {n} the {L} has as number {k} / what the {L} has as {n} {k} / what
        {n} number {k} {on} is / the {n} with number {k} {on} / the {n} that is number {k} {on} / which {n} of the
        {L} is the {nth} / what we have as {n} {k} {on} / what the {L} has as its {nth} {n}"""
    ),
    "after": parted(
        """what is right after {X} {on} / which {n} comes right after {X} {on} / which {n} follows {X} {on} / the {n}
        right after {X} {on} / what the {L} has right after {X} / what immediately follows {X} {on} / the {n} that
        follows {X} {on} / the {n} that comes after {X} {on} / which {n} {on} comes after {X} / what one finds right
        after {X} {on} / what comes next after {X} {on}"""
    ),
    "before": parted(
        """what is right before {X} {on} / which {n} comes right before {X} {on} / which {n} precedes {X} {on} / the
        {n} right before {X} {on} / what the {L} has right before {X} / what immediately precedes {X} {on} / the {n}
        that precedes {X} {on} / the {n} that comes before {X} {on} / which {n} {on} comes before {X} / what one
        finds right before {X} {on} / what precedes {X} {on}"""
    ),
    "place": parted(
        """which place {X} has {on} / which number {X} is {on} / what number {X} has {on} / the number that {X} has
        {on} / what the place of {X} {on} is / in what place {X} comes {on} / at which place {X} is {on} / which
        place {on} {X} has / what place is that of {X} {on} / what place {X} takes {on}"""
    ),
}
