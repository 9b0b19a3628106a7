"""Schedules: times worked out again with datetime, from the facts that are recorded and the text of the prompt."""

import re
from datetime import datetime, timedelta

import pytest

from dataset_builder import SPLITS, Builder, BuilderConfig, split_config
from dataset_builder.build.consistency import contradictions
from dataset_builder.builder import speak
from dataset_builder.families.scheduling.calendar import CLOCK as CLOCKS
from dataset_builder.families.scheduling.calendar import LATEST, RANGES, split
from dataset_builder.families.scheduling.reader import read
from dataset_builder.families.scheduling.task import Scheduling
from dataset_builder.families.scheduling.terms import THINGS
from dataset_builder.speech.grammar import UPDATES
from dataset_builder.world.facts import NONE


BASE = BuilderConfig(families=("scheduling",), seed=4)
EVENT = r"((?:[A-Z]\w* )?[a-z]+)"
SAME_DAY = [
    rf"the {EVENT} (?:is|happens) on the same day as the {EVENT}",
    rf"the {EVENT} has the same day as the {EVENT}",
    rf"the {EVENT} shares its day with the {EVENT}",
    rf"the day of the {EVENT} is that of the {EVENT}",
    rf"for the {EVENT} the day is the same as for the {EVENT}",
    rf"the day is the same for the {EVENT} and the {EVENT}",
    rf"on the same day as the {EVENT} there is the {EVENT}",
    rf"the same day was chosen for the {EVENT} and the {EVENT}",
    rf"they chose the same day for the {EVENT} as for the {EVENT}",
    rf"the {EVENT} falls on the day of the {EVENT}",
    rf"the {EVENT} and the {EVENT} (?:share a day|fall on one day|are on the same day|have the same day)",
]
SAME_PLACE = [
    rf"the {EVENT} (?:is|happens) in the same place as the {EVENT}",
    rf"the {EVENT} has the same place as the {EVENT}",
    rf"the {EVENT} shares its place with the {EVENT}",
    rf"the place of the {EVENT} is that of the {EVENT}",
    rf"for the {EVENT} the place is the same as for the {EVENT}",
    rf"the place is the same for the {EVENT} and the {EVENT}",
    rf"in the same place as the {EVENT} there is the {EVENT}",
    rf"the same place was booked for the {EVENT} and the {EVENT}",
    rf"they booked the same place for the {EVENT} as for the {EVENT}",
    rf"the {EVENT} meets where the {EVENT} meets",
    rf"the {EVENT} and the {EVENT} (?:(?:share a|use one) place|are in the same place|have the same place)",
]
KNOWN_ASKS = re.compile(
    r"\b(?:(?:tell|let) me|please|say|report|I want|answer in this order|question \d|(?:find|work) out)\b",
    re.IGNORECASE,
)
CLOCK = re.compile(r"\d{1,2}:\d\d")


def samples(split, num=300, **changes):
    return list(Builder(BuilderConfig(**{**vars(split_config(BASE, split)), **changes})).samples(num))


@pytest.fixture(scope="module")
def rows():
    return samples("train", 500)


def time(text):
    hour, minute = text.split(":")
    return datetime(2000, 1, 1, int(hour), int(minute))


def show(when):
    return f"{when.hour}:{when.minute:02}"


class World:
    """What holds, worked out anew from facts and prompt, whenever it is asked for."""

    def __init__(self, prompt, facts):
        self.facts = facts
        prompt = re.sub(r"\b(The|On|In|For|They)\b", lambda word: word[0].lower(), prompt)
        self.shared = {
            "day": [found for form in SAME_DAY for found in re.findall(form, prompt)],
            "place": [found for form in SAME_PLACE for found in re.findall(form, prompt)],
        }

    def value(self, key):
        if key in self.facts:
            return self.facts[key]
        thing, _, events = key.partition(" the ")
        if " and the " in events:
            return self.pair(thing, *events.split(" and the "))
        if thing in ("day of", "place of"):
            return self.same(thing, events)
        when = {"start of": self.start, "departure of": self.start, "time to leave for": self.leave}.get(
            thing, self.end
        )
        when = when(events)
        return NONE if when is None else show(when)

    def known(self, name):
        return self.facts.get(name, NONE) != NONE

    def minutes(self, name):
        return timedelta(minutes=int(self.facts[name])) if self.known(name) else None

    def start(self, event):
        for name in (f"start of the {event}", f"departure of the {event}"):
            if name in self.facts:
                return time(self.facts[name]) if self.known(name) else None
        planned, earliest = (f"{what} start of the {event}" for what in ("planned", "earliest"))
        if planned in self.facts:
            known = [time(self.facts[name]) for name in (planned, earliest) if self.known(name)]
            return max(known) if self.known(planned) else None
        for name in self.facts:
            if name.startswith(("break between", "time between")) and name.endswith(f" and the {event}"):
                end = self.end(re.search(rf"between the {EVENT} and", name)[1])
                if name.startswith("break") and not self.known(name):
                    return end
                return end + self.minutes(name) if end and self.known(name) else None
        end, duration = self.end(event), self.minutes(f"duration of the {event}")
        return end - duration if end and duration else None

    def end(self, event):
        for name in (f"end of the {event}", f"arrival of the {event}"):
            if name in self.facts:
                return time(self.facts[name]) if self.known(name) else None
        start, duration = self.start(event), self.minutes(f"duration of the {event}")
        return start + duration if start and duration else None

    def leave(self, event):
        start, way = self.start(event), self.minutes(f"way to the {event}")
        return start - way if start and way else None

    def same(self, thing, event):
        (other,) = {
            one if other == event else other for one, other in self.shared[thing[:-3]] if event in (one, other)
        } & {name.partition(" the ")[2] for name in self.facts if name.startswith(f"{thing} the ")}
        return self.facts[f"{thing} the {other}"]

    def pair(self, thing, one, other):
        starts = self.start(one), self.start(other)
        if thing == "first of":
            if None in starts:
                return NONE
            return "neither" if starts[0] == starts[1] else f"the {one if starts[0] < starts[1] else other}"
        ends = self.end(one), self.end(other)
        if None in (*starts, *ends):
            return NONE
        early, late = sorted(zip(starts, ends, strict=True))
        between = int((late[0] - min(early[1], late[1])).total_seconds()) // 60
        if late[0] > early[1]:
            assert between > 0
        article = "an" if re.match(r"8|1[18]$", str(abs(between))) else "a"
        return f"{article} {abs(between)}-minute {'gap' if between > 0 else 'overlap'}" if between else "no gap"


def worlds(row):
    """The world before any update, after the first, and so on."""
    facts = {fact["name"]: fact["value"] for fact in row.facts}
    made = [World(row.prompt, facts)]
    for update in row.updates:
        facts = {**facts, **{change["fact"]: change["value"] for change in update["changes"]}}
        made.append(World(row.prompt, facts))
    return made


@pytest.mark.parametrize("split", SPLITS)
def test_what_is_read_is_what_was_recorded(split):
    for row in samples(split, 12 if split in ("more_updates", "late", "long") else 40):
        told = [(c["key"], c["value"], c["start"], c["end"]) for c in row.provenance if c["complete"]]
        assert [tuple(claim) for claim in read(row.target)] == sorted(told, key=lambda claim: claim[2]), row.target


def test_every_claim_follows_from_the_facts_of_its_version(rows):
    counts = 0
    for row in rows + samples("paraphrase", 100) + samples("retraction", 100):
        made = worlds(row)
        for claim in row.provenance:
            assert claim["value"] == made[claim["version"]].value(claim["key"]), (row, claim)
            counts += 1
        for answer in row.answers:
            assert answer["value"] == made[-1].value(answer["key"]), row
    assert counts > 2000


def test_rows_agree_with_themselves_and_end_with_the_answers(rows):
    for row in rows:
        assert contradictions(row.to_row()) == [], row.target


def test_a_wrong_time_is_caught(rows):
    caught = tried = 0
    for row in rows:
        claim = row.provenance[-1]
        inside = row.target[claim["start"] : claim["end"]]
        if not claim["complete"] or not CLOCK.fullmatch(claim["value"]):
            continue
        head, _, tail = inside.rpartition(claim["value"])
        text = row.target[: claim["start"]] + head + "5:55" + tail + row.target[claim["end"] :]
        tried += 1
        caught += any(found.value == "5:55" and found.key == claim["key"] for found in read(text))
    assert caught == tried > 50


def test_all_kinds_of_updates_come_and_change_what_they_say(rows):
    kinds = {}
    for row in rows:
        for world, update in zip(worlds(row), row.updates, strict=False):
            for change in update["changes"]:
                kinds.setdefault(update["kind"], set()).add(split(change["fact"])[0])
                if update["kind"] in ("addition", "constraint"):
                    assert world.facts[change["fact"]] == NONE
                if change["value"] != NONE and update["kind"] not in ("retraction", "stop"):
                    assert change["value"] in update["text"], update
                    event = change["fact"].partition(" the ")[2]
                    assert all(name in update["text"] for name in event.split(" and the ")), update
    assert {"correction", "refinement", "constraint", "invalidation", "addition", "retraction"} <= set(kinds)
    assert kinds["constraint"] == {"earliest start of", "break between"}
    assert {"start of", "duration of", "day of", "place of", "guest of", "way to"} <= kinds["correction"]
    assert {"start of", "duration of", "day of"} <= kinds["refinement"]


def test_one_change_moves_several_times(rows):
    moved = [
        sum(claim["stale_version"] == number + 1 for claim in row.provenance)
        for row in rows
        for number, update in enumerate(row.updates)
        if update["repair"]
    ]
    assert sum(number >= 2 for number in moved) > len(moved) / 10
    assert max(moved) >= 4


def test_times_stay_within_the_day_while_nothing_goes_back():
    kinds = dict.fromkeys(("correction", "refinement", "constraint", "addition", "adversarial"), 1)
    times = 0
    for row in samples("train", 200, kinds=kinds, going_back=0, num_updates=(3, 6)):
        keys = {claim["key"] for claim in row.provenance}
        for world in worlds(row):
            for key in keys:
                for found in CLOCK.findall(world.value(key)):
                    assert time("7:00") <= time(found) <= time("21:00"), (row, key)
                    times += 1
    assert times > 1000


@pytest.mark.parametrize("novel", [False, True])
def test_times_stay_before_midnight_however_much_changes(novel):
    kinds = {"correction": 6, "retraction": 3, "invalidation": 1, "addition": 2, "constraint": 2}
    for row in samples(
        "train", 25, kinds=kinds, num_updates=(40, 60), keep_going=1.0, going_back=0.5, novel_values=novel
    ):
        assert all(time(claim["value"]) for claim in row.provenance if ":" in claim["value"])


def test_midnight_is_never_reached_even_if_all_takes_as_long_as_it_may():
    builder = Builder(BuilderConfig(families=("scheduling",), num_facts=(3, 12), num_questions=(1, 8)))
    ends = ("end of", "arrival of")
    most = 0
    for index in range(200):
        _, scene, _ = builder.scene(index)
        values = {}
        for name, fact in scene.facts.items():
            follow = sum(key.startswith(ends) and name in rule.depends for key, rule in scene.rules.items())
            latest = {"time": CLOCKS[LATEST[follow]], "number": str(RANGES.get(split(name)[0], (0, 0))[1])}
            values[name] = latest.get(fact.type, fact.value)
        for key, rule in scene.rules.items():
            values[key] = rule.compute(values)
            most = max(most, time(values[key]).hour if ":" in values[key] else 0)
    assert most in (22, 23)


def test_each_clause_of_a_prompt_tells_one_thing_of_events_named_in_full(rows):
    for row in rows:
        clauses = re.split(r"(?<=[.,;:?!]) ", row.prompt)
        values = {
            fact["name"]: fact["value"] for fact in row.facts if fact["value"] != NONE and " the " in fact["name"]
        }
        for name, value in values.items():
            events = name.partition(" the ")[2].split(" and the ")
            mark = rf"(?<![\w:]){re.escape(value)}(?![\w:])"
            own = [
                clause for clause in clauses if re.search(mark, clause) and all(event in clause for event in events)
            ]
            assert own, (row.prompt, name)
        told = [clause for clause in clauses if not re.search(r"\?|\btell\b|\bsay\b", clause)]
        assert all(len(CLOCK.findall(clause)) <= 1 for clause in told)
        assert 1 <= len(row.answers) <= 5
        assert len(values) <= 5


def test_a_prompt_names_every_event_and_what_links_two_of_them(rows):
    for row in rows + samples("composition", 300):
        words = set(re.findall(r"[a-z]+", row.prompt))
        for fact in row.facts:
            _, *events = split(fact["name"])
            assert all(event.rpartition(" ")[2] in words for event in events if event), (row.prompt, fact)
            assert not (fact["name"].startswith("time between") and fact["value"] == NONE), row.prompt


def test_more_facts_and_questions_than_usual():
    for row in samples("train", 40, num_facts=(20, 20), num_questions=(8, 8)):
        assert len(row.answers) == 8
        assert sum(fact["value"] != NONE and " the " in fact["name"] for fact in row.facts) <= 20
        assert contradictions(row.to_row()) == []


def forms(wordings, slot=r"[\w: -]+"):
    """Patterns of wordings, whatever stands in their slots."""
    return [re.compile(re.sub(r"\\\{\w+\\\}", lambda _: slot, re.escape(text)), re.IGNORECASE) for text in wordings]


def test_a_paraphrase_uses_no_known_wording():
    things = THINGS.values()
    told = forms({text for thing in things for text in thing.told.known})
    asked = forms({text for thing in things for text in thing.asked.known + thing.questions.known})
    unseen = {text for thing in things for text in thing.told.unseen + thing.asked.unseen + thing.questions.unseen}
    updates = {kind: forms(UPDATES[kind].known, ".+") for kind in ("correction", "refinement", "addition")}
    updates["constraint"] = forms(UPDATES["constraint"].known, ".+")
    assert not unseen & {text for thing in things for text in thing.told.known + thing.asked.known}
    head = re.compile(r"^(?:and |\(?\d\)? |first |second |third |item \d is |\w+ me |i would like to learn )+", re.I)
    seen = 0
    for row in samples("paraphrase", 80):
        for clause in re.split(r"(?<=[.,;:?!]) ", row.prompt):
            plain = head.sub("", clause.rstrip(".,;:"))
            assert not any(form.fullmatch(plain) for form in told + asked), clause
            seen += 1
        assert not KNOWN_ASKS.search(row.prompt), row.prompt
        for update in row.updates:
            assert not any(form.fullmatch(update["text"]) for form in updates.get(update["kind"], ())), update
    assert seen > 200
    known = 0
    for row in samples("train", 40):
        for clause in re.split(r"(?<=[.,;:?!]) ", row.prompt):
            known += any(form.fullmatch(head.sub("", clause.rstrip(".,;:"))) for form in told + asked)
    assert known > 100


def test_novel_values_are_never_drawn_otherwise(rows):
    def values(some):
        told = [(fact["name"], fact["value"], fact["type"]) for row in some for fact in row.facts]
        told += [
            (change["fact"], change["value"], "")
            for row in some
            for update in row.updates
            for change in update["changes"]
        ]
        events = {event for name, *_ in told for event in split(name)[1:] if event}
        return {(split(name)[0], value) for name, value, _ in told if value not in (NONE, "yes", "no")}, events

    usual, events = values(rows)
    novel, novel_events = values(samples("novel_values", 200))
    assert not usual & novel
    assert not events & novel_events
    times = [value for _, value in novel if CLOCK.fullmatch(value)]
    assert times and all(int(value[-1]) % 5 for value in times)
    assert all(int(value[-1]) % 5 == 0 for _, value in usual if CLOCK.fullmatch(value))


def test_the_same_sample_comes_again():
    builder = Builder(BASE)
    assert [builder.sample(index) for index in range(20)] == [builder.sample(index) for index in range(20)]
    family, scene, heard = builder.scene(3)
    assert isinstance(family, Scheduling)
    assert speak(family, scene, heard).text == builder.sample(3).target


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("The review starts at 9:30.", {"start of the review": "9:30"}),
        (
            "The review begins at 9:30 and takes 45 minutes, so the review ends at 10:15.",
            {
                "start of the review": "9:30",
                "duration of the review": "45",
                "end of the review": "10:15",
            },
        ),
        ("9:30 plus 45 minutes is 10:15, so the review finishes at 10:15.", {"end of the review": "10:15"}),
        ("9:30 plus 45 minutes is 10:15, so the review", {}),
        ("The Lima flight gets in 45 minutes after 9:30, which is 10:15.", {"arrival of the Lima flight": "10:15"}),
        ("The Lima flight gets in 45 minutes after 9:30", {}),
        (
            "The talk starts at 10:30 -- no, the review ends 50 minutes after 9:30, at 10:20, and the talk starts at "
            "10:35 -- in room 4.",
            {"end of the review": "10:20", "start of the talk": "10:35"},
        ),
        ("You must leave for the talk 20 minutes before 9:30, at 9:10.", {"time to leave for the talk": "9:10"}),
        (
            "Between the talk and the Sato exam there is a 20-minute gap.",
            {"gap between the talk and the Sato exam": "a 20-minute gap"},
        ),
        (
            "Of the talk and the exam the first is the -- wait, the exam is on Friday 2 May -- exam.",
            {"first of the talk and the exam": "the exam", "day of the exam": "Friday 2 May"},
        ),
        ("The first of the talk and the exam is neither.", {"first of the talk and the exam": "neither"}),
        ("The gap between the talk and the exam is not known.", {"gap between the talk and the exam": NONE}),
        (
            "the way to the exam is 5 minutes and it is 7 minutes to the talk",
            {
                "way to the exam": "5",
                "way to the talk": "7",
            },
        ),
        (
            "The talk is in North Velm Hall. The Oslo bus leaves from stop 4.",
            {
                "place of the talk": "North Velm Hall",
                "boarding place of the Oslo bus": "stop 4",
            },
        ),
        ("The talk has Nadia Sato as its guest.", {"guest of the talk": "Nadia Sato"}),
    ],
)
def test_events_are_read_from_any_text(text, claims):
    assert {claim.key: claim.value for claim in read(text)} == claims


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "--",
        " -- wait,",
        "9:30",
        "The review starts at",
        "The review starts at 9:3",
        "the the the and the and the",
        "Of the talk and the exam the first is",
        "wait, wait, wait",
        "\0",
        "é -- no, -- -- .<eos><eos>",
        "plus 45 minutes is 10:15, so",
        "between the talk and there is a 20-minute gap",
    ],
)
def test_the_reader_takes_any_text(text):
    assert read(text) == []


def test_texts_cut_anywhere_are_read_without_complaint(rows):
    for row in rows[:15]:
        whole = {(claim.key, claim.value) for claim in read(row.target)}
        for end in range(0, len(row.target), 9):
            found = read(row.target[:end])
            assert all((claim.key, claim.value) in whole for claim in found[:-1]), row.target[:end]
