"""Makes samples: a prompt, an answer, updates that come while it is emitted, and what is emitted in the end."""

from __future__ import annotations

from random import Random
from typing import Any

from .forms import fitting
from .leads import Repairs
from .repair import Repairer, units
from .stream import Stream
from .templates import template
from .updates import User, draw_slots, holds, informal
from .wordings import Domain, Scenario, available, common, digest, domain
from .world import Context, World


SPLITS = ("train", "validation", "test", "paraphrase", "novel_values")
_COUNTS = (0,) * 8 + (1,) * 60 + (2,) * 22 + (3,) * 7 + (4,) * 3
_ENDED = 0.8
"""How often an update behind the last word comes after the end, rather than just before it."""
_EARLY = 0.15
"""How often the first updates come after two words or fewer each."""
_TRIES = 1000


def sample(
    rng: Random,
    *,
    split: str = "train",
    domain_name: str | None = None,
    scenario_name: str | None = None,
    num_updates: tuple[int, int] = (0, 4),
) -> dict[str, Any]:
    """
    A sample of the family.

    Args:
        rng (`Random`): What it is drawn with.
        split (`str`): One of `SPLITS`.
        domain_name, scenario_name (`str`, *optional*): Draws from this domain or scenario only.
        num_updates (`tuple[int, int]`, *optional*, defaults to (0, 4)): Fewest and most updates.

    Raises:
        ValueError: There is no such split, domain or scenario.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    if domain_name is not None and domain_name not in available():
        raise ValueError(f"`domain_name` must be one of {', '.join(available())}, got {domain_name!r}.")
    one = domain(domain_name or rng.choice(available()))
    if scenario_name is not None and scenario_name not in one.scenarios:
        raise ValueError(f"`scenario_name` must be one of {', '.join(one.scenarios)}, got {scenario_name!r}.")
    scenario = one.scenarios[scenario_name or rng.choice(tuple(one.scenarios))]
    least, most = num_updates
    if split in ("paraphrase", "novel_values"):
        least = max(1, least)
    for _ in range(_TRIES):
        drawn = _prompt(rng, one, scenario, split)
        if drawn is None:
            continue
        count = max(least, min(most, rng.choice(_COUNTS)))
        if (made := _emit(rng, one, scenario, split, count, most, *drawn)) is not None:
            return made
    raise ValueError(f"{scenario.place}: no prompt was found; are its conditions (`where`) ever met?")


def split_of(prompt: str) -> str:
    """Which of train, validation and test a prompt belongs to; the other splits draw on the prompts of test."""
    return {0: "validation", 1: "test"}.get(digest(prompt) % 20, "train")


def _style(rng: Random, scenario: Scenario) -> dict[str, str]:
    made = {
        "clock": rng.choice(("12", "12", "12", "12tight", "24")),
        "currency": rng.choice("$$$$$$$$€£"),
        "date": rng.choice(("month first", "day first")),
        "caps": "",
        "separator": "",
    }
    for key, value in scenario.style.items():
        made[key] = rng.choice(value) if isinstance(value, list) else str(value)
    if "clock" in scenario.forms and made["clock"] == "24":
        made["clock"] = "12"
    return made


def _prompt(rng: Random, one: Domain, scenario: Scenario, split: str) -> tuple[World, str, str] | None:
    """The first world, a prompt and its template; None if the prompt belongs to another split."""
    novel, paraphrase = split == "novel_values", split == "paraphrase"
    style = _style(rng, scenario)
    for _ in range(_TRIES):
        world = scenario.world(draw_slots(scenario, rng, novel), style)
        if holds(scenario, world):
            break
    else:
        return None
    source = str(scenario.prompts.draw(rng, paraphrase)).strip()
    text = _ask(rng, one, scenario, source, world, paraphrase)
    if split_of(text) != (split if split in ("train", "validation") else "test"):
        return None
    return world, text, source


def _ask(rng: Random, one: Domain, scenario: Scenario, source: str, world: World, paraphrase: bool) -> str:
    context = Context(world, {}, {})
    text = informal(source, context, rng, True)
    draw = rng.random()
    if draw < 0.08:
        opener = str(common()["openers"].draw(rng, paraphrase))
        if opener.rstrip()[-1] in ",:" and not scenario.keep_case:
            keep = text[:2] in ("I ", "I'") or bool(template(source).tokens[0].write(context) is None)
            text = text if keep or "{" in source.split()[0] else text[:1].lower() + text[1:]
        text = opener + text
    elif draw < 0.18 and one.before.all:
        reason = str(one.before.draw(rng, paraphrase))
        text = f"{reason} {text[:1].upper() + text[1:]}" if not scenario.keep_case else f"{reason} {text}"
    if not scenario.keep_case and rng.random() < 0.12:
        text = text.lower()
    return text


def _words_before(rng: Random, stream: Stream, first: bool) -> int:
    """How many words are emitted before the next update."""
    pending = stream.pending_words()
    draw = rng.random()
    if draw < (0.11 if first else 0.15):
        return 10**6
    if draw < (0.45 if first else 0.5):
        return rng.randint(0, 6) if first else rng.randint(1, 7)
    return rng.randint(0, max(1, pending - 1))


def _early(rng: Random, count: int) -> tuple[str, ...]:
    """What the first updates are, if they come before much is emitted: a change, and often a distractor with it."""
    draw = rng.random()
    if not count or draw > _EARLY:
        return ()
    return rng.choice((("change",), ("nothing", "change"), ("change", "nothing")))


def _emit(
    rng: Random,
    one: Domain,
    scenario: Scenario,
    split: str,
    count: int,
    most: int,
    world: World,
    prompt: str,
    source: str,
) -> dict[str, Any] | None:
    """A sample; None if an update left only punctuation for the word that was emitted last."""
    paraphrase = split == "paraphrase"
    answer = scenario.answer(scenario.answers.draw(rng, paraphrase))
    stream = Stream(units(answer, world, scenario.keep_case), world)
    repairs = Repairs(one, rng, paraphrase)
    repairer = Repairer(stream, scenario, repairs, rng)
    user = User(one, scenario, world, rng, paraphrase, split == "novel_values")
    updates: list[dict[str, Any]] = []
    worlds = [world]
    early = _early(rng, count)
    for index in range(max(count, min(len(early), most))):
        stream.emit(rng.randint(0, 2) if index < len(early) else _words_before(rng, stream, index == 0))
        if stream.at_end() and rng.random() < _ENDED:
            # It had stopped: what comes now comes after the end.
            stream.end(bool(updates) and updates[-1]["after_chars"] == len(stream.text))
        made = user.update(lambda: fitting(scenario, answer, stream), early[index] if index < len(early) else "")
        stream.version = index + 1
        if made.world is not stream.world:
            repairer.update(made.world, made.kind, made.slots)
            if stream.glued():
                return None
        worlds.append(made.world)
        updates.append(
            {
                "after_chars": len(stream.text),
                "text": made.text,
                "kind": made.kind,
                "slots": list(made.slots),
                "template": made.template,
                "repair": stream.called == stream.version,
            }
        )
    stream.emit()
    stream.end(bool(updates) and updates[-1]["after_chars"] == len(stream.text))
    return {
        "prompt": prompt,
        "text": stream.text,
        "updates": updates,
        "domain": one.name,
        "scenario": scenario.name,
        "split": split,
        "templates": {"prompt": source, "answer": answer.source, "repairs": list(repairs.used)},
        "provenance": stream.spans,
        "repairs": stream.repairs,
        "worlds": worlds,
    }
