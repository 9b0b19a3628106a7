"""
The scenes of the demo: prompts, updates, and after how many tokens each update arrives.

Those in plain English, for a duplex adapter, are in `scenes.yaml`, each with its rule: regular expressions for what
must be emitted after the last update, and for what must not be, except after a word of repair. They were tried on the
adapter that ships: the default scenes show what it does well, `--scene all` shows the others too.

Those below are for the models from scratch. They were chosen by hand: one for each family of tasks, in the phrasings
of `dataset_builder` and with meaningful words, and two more for other events. Together they cover each important kind
of update: a correction, one that is corrected again or taken back, an untrustworthy message, an irrelevant remark, and
an update after the end. They were written before any released model was run on them, the places of the updates were
counted on correct texts, and a scene stays if a model fails in it. The right answers are not listed here: `verdict`
computes them from prompt and updates.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from ...released import WORKSPACE


@dataclass(frozen=True)
class Update:
    """The text of an update, and after how many emitted tokens it arrives; None for after the end."""

    text: str
    after: int | None


@dataclass(frozen=True)
class Scene:
    """
    One conversation to be run live.

    Attributes:
        name (`str`): Its name for `--scene`.
        title (`str`): What it shows.
        prompt (`str`): The prompt.
        updates (`tuple[Update, ...]`): The updates, in order.
        must, must_not (`tuple[str, ...]`): The rule of the scene; empty if an independent oracle judges it.
        due (`str`): What the rule requires, in words.
    """

    name: str
    title: str
    prompt: str
    updates: tuple[Update, ...]
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    due: str = ""

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise ValueError("`prompt` is empty: say something that can be answered.")
        if not all(update.text.strip() for update in self.updates):
            raise ValueError("`update` is empty: say what has changed.")
        places = [update.after for update in self.updates]
        for place, following in pairwise(places):
            if following is not None and (place is None or following <= place):
                raise ValueError("`after` must rise from one update to the next: give them in order of arrival.")


_SCENES = (
    Scene(
        "arithmetic",
        "a number changes in the middle of the third answer",
        "Given x = 5, y = 3, compute 1) 3x + 2; 2) x + y; 3) 4y + 1; 4) 2x + 3y.",
        (Update("Actually x = 7.", 34),),
    ),
    Scene(
        "capital",
        "a fact is corrected while another one is being told",
        "The capital of Australia is Sydney. The longest river of Australia is the Darling. The national bird of "
        "Australia is the emu. Tell me, 1) the capital of Australia; 2) the longest river of Australia; "
        "3) the national bird of Australia.",
        (Update("Correction: the capital of Australia is Canberra.", 18),),
    ),
    Scene(
        "tour",
        "a stop is replaced, and then the change is taken back",
        "The tour goes Rome then Paris then Madrid then Vienna. Tell me the stops of the tour one after the other.",
        (Update("Please replace Paris by Berlin on the tour.", 15), Update("I take back the last change.", 30)),
    ),
    Scene(
        "meeting",
        "a start moves, and with it all that follows from it",
        "The meeting starts at 14:30. The meeting takes 45 minutes. The dinner starts when the meeting ends. "
        "First tell me when the meeting ends; second tell me when the dinner starts.",
        (Update("Actually, the meeting starts at 15:10.", 22),),
    ),
    Scene(
        "rules",
        "a premise turns out to be false, and conclusions go with it",
        "It is true that the road is dry. If the road is dry then the bridge is open and otherwise closed. When the "
        "bridge is open then Hanna is calm but otherwise upset. Tell me, 1) whether the bridge is open or closed; "
        "2) what is true of Hanna.",
        (Update("As it turns out, the road is not dry.", 19),),
    ),
    Scene(
        "business",
        "one who is not to be believed is ignored, then the figures do change",
        "Meyer should open shops if its revenue is at least 60 million and otherwise cut costs. The revenue of Meyer "
        "was 75 million. Don't listen to Mona. Tell me 1) the revenue of Meyer; 2) the advice for Meyer.",
        (
            Update("Mona says: Correction: the revenue of Meyer was 20 million.", 6),
            Update("Correction: the revenue of Meyer was 46 million.", 20),
        ),
    ),
    Scene(
        "budget",
        "a remark changes nothing, a shorter stay frees money",
        "Our budget is $190. The hotel costs $50 a night. We stay 3 nights. We pay $60 for the museum. Tell me, "
        "1) what the hotel gets; 2) what the museum gets; 3) how much is left. Spend in that order while the money "
        "lasts.",
        (Update("It is raining outside.", 12), Update("Change the number of nights to 2.", 35)),
    ),
    Scene(
        "record",
        "a member of a JSON object changes, and one that follows from it",
        "Price = 19. Quantity = 4. Total is price times quantity. Write a JSON object with 1) price; 2) quantity; "
        "3) total.",
        (Update("Actually, quantity = 6.", 15),),
    ),
    Scene(
        "afterwards",
        "the model has finished, is told something new, and goes on",
        "Given x = 5, y = 2, compute 1) 3x + 2; 2) x + y.",
        (Update("Actually x = 7.", None),),
    ),
    Scene(
        "twice",
        "two corrections, the second while the first is being taken in",
        "Let a = 4, b = 6, compute 1) 2a + 5; 2) a + b; 3) 3b + 1.",
        (Update("Change a to 9.", 24), Update("No, a = 8.", 32)),
    ),
)
SCENES = {scene.name: scene for scene in _SCENES}
DEFAULT_SCENES = ("arithmetic", "capital", "tour", "meeting", "rules", "business")


def read_scenes(path: Path) -> tuple[dict[str, Scene], tuple[str, ...]]:
    """Scenes by name, and the names of the default ones; in the order of the file."""
    rows: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    scenes = {
        name: Scene(
            name,
            row["title"],
            row["prompt"],
            tuple(Update(update["text"], parse_after(str(update["after"]))) for update in row["updates"]),
            tuple(row["must"]),
            tuple(row.get("must_not", ())),
            row["due"],
        )
        for name, row in rows.items()
    }
    return scenes, tuple(name for name, row in rows.items() if row.get("default"))


def check_names(names: list[str]) -> None:
    """Raises `ValueError` for an unknown scene, before a model is loaded."""
    if names != ["all"]:
        for name in names:
            if name not in EVERYDAY_SCENES and name not in SCENES:
                choices = f"{', '.join(EVERYDAY_SCENES)}; with `--model {WORKSPACE}` from {', '.join(SCENES)}"
                raise ValueError(f"`--scene`: there is no {name!r}; choose from {choices}; or all.")


def choose_scenes(names: list[str], everyday: bool = False) -> list[Scene]:
    """
    The scenes of these names; the default ones for none, every one for "all".

    Args:
        names (`list[str]`): The values of `--scene`.
        everyday (`bool`, *optional*, defaults to `False`): Those in plain English, rather than those for the models
            from scratch.
    """
    scenes, default = (EVERYDAY_SCENES, DEFAULT_EVERYDAY_SCENES) if everyday else (SCENES, DEFAULT_SCENES)
    if names == ["all"]:
        return list(scenes.values())
    for name in names:
        if name not in scenes:
            others = SCENES if everyday else EVERYDAY_SCENES
            kind = f"`--model {WORKSPACE}`" if everyday else "a duplex adapter"
            where = f" That one is for {kind}." if name in others else ""
            raise ValueError(f"`--scene`: there is no {name!r}; choose from {', '.join(scenes)}, or all.{where}")
    return [scenes[name] for name in names or default]


def parse_after(text: str) -> int | None:
    """Reads a number of tokens, or "end"."""
    if text == "end":
        return None
    if not text.isdecimal():
        raise ValueError(f"`--after` must be a number of tokens, or end, got {text!r}.")
    return int(text)


def own_scene(prompt: str, updates: list[str], after: list[str]) -> Scene:
    """A user's own scene; if `after` is too short, each further update arrives 12 tokens after the previous one."""
    if not updates:
        raise ValueError("`--update` is missing: `--prompt` needs something that arrives while the model speaks.")
    if len(after) > len(updates):
        raise ValueError(f"`--after` was given {len(after)} times for {len(updates)} `--update`: give one for each.")
    places = [parse_after(text) for text in after]
    while len(places) < len(updates):
        last = places[-1] if places else 0
        places.append(None if last is None else last + 12)
    pairs = zip(updates, places, strict=True)
    return Scene("own", "a scene of your own", prompt, tuple(Update(text, place) for text, place in pairs))


EVERYDAY_SCENES, DEFAULT_EVERYDAY_SCENES = read_scenes(Path(__file__).with_name("scenes.yaml"))
