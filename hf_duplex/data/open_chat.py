r"""
Open requests whose topic or form changes while a base answers them: training text in the base's own words.

Every answer is the base's own, to the request as it is meant at last, so that an adapter learns when to turn, and not
what to say:

    python -m hf_duplex.training.chat_answers --prompt-set open --count 9000 --max-new-tokens 128 --temperature 0.4 \
        --out runs/open.jsonl

and, in the YAML file of a training, `sources: [{kind: open, path: runs/open.jsonl}]`.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from dataset_builder import END
from dataset_builder.families.everyday.wordings import common

from .own import Conversation, read_conversations


WORDS = Path(__file__).with_name("open_chat.yaml")
# How often something else happens to an answer than a switch of topic.
CHATTER, STYLE, UNDISTURBED = 0.2, 0.15, 0.12
MOST_UPDATES = 3


@cache
def wordings() -> dict[str, Any]:
    """The topics, prompts and updates of `open_chat.yaml`."""
    return yaml.safe_load(WORDS.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Request:
    """A prompt (a wording with a place for its topic), what it is about, and in which form (`""`: any)."""

    wording: str
    topic: str
    style: str = ""

    def texts(self) -> list[str]:
        """The ways in which it may be typed."""
        text = self.wording.format(topic=self.topic)
        if not self.style:
            return [text]
        text += "" if text[-1] in ".?!" else "."
        return [f"{text} {wish}" for wish in wordings()["styles"][self.style]["prompts"]]


def requests() -> Iterator[Request]:
    """All requests."""
    for group in wordings()["groups"]:
        for wording in group["prompts"]:
            for topic in wordings()["topics"][group["topic"]]:
                for style in ("", *wordings()["styles"]):
                    yield Request(wording, topic, style)


def open_prompts(seed: int = 0) -> list[list[dict[str, str]]]:
    """All requests in random order, as messages; a form is asked for in one of three."""
    rng = Random(f"{seed} open prompts")
    texts = [rng.choice(asked.texts()) for asked in requests() if not asked.style or rng.random() < 1 / 6]
    rng.shuffle(texts)
    return [[{"role": "user", "content": text}] for text in texts]


def keeps_style(text: str, style: str) -> bool:
    """Whether an answer has the form that was asked for."""
    if style == "one sentence":
        return len(re.findall(r"[.!?](?:\s|$)", text)) == 1 and "\n" not in text
    if style == "list":
        return len(re.findall(r"^\s*(?:[-*•]|\d+[.)])\s", text, re.MULTILINE)) >= 2
    return style != "short" or len(text.split()) <= 15


def is_usable(text: str) -> bool:
    """Whether an answer neither goes round in circles nor speaks of the assistant itself, as small bases do."""
    words = re.findall(r"\w+", text.lower())
    circles = len(words) > 20 and len(set(words)) < 0.5 * len(words)
    return bool(words) and not circles and not re.search(r"\bAI\b|SmolLM|[Aa]ssistant", text)


class OpenChat:
    """
    Draws interrupted answers to open requests.

    Args:
        path (`str` or `Path`): The answers of a base to [`open_prompts`], as `chat_answers` writes them.

    Raises:
        ValueError: The file is unusable, or no wording is answered for two topics.
    """

    def __init__(self, path: str | Path):
        known = {text: asked for asked in requests() for text in asked.texts()}
        self.answers: dict[Request, tuple[str, str]] = {}
        for conversation in read_conversations(path):
            prompt = conversation.messages[-1]["content"]
            asked, text = known.get(prompt), conversation.text.strip()
            if asked is not None and is_usable(text) and keeps_style(text, asked.style):
                self.answers[asked] = prompt, text
        topics = defaultdict(list)
        for asked in self.answers:
            if not asked.style:
                topics[asked.wording].append(asked)
        self.wordings = [(wording, found) for wording, found in topics.items() if len(found) > 1]
        if not self.wordings:
            raise ValueError(
                f"{path} answers no wording of open_chat.yaml for two topics: write it with "
                "`python -m hf_duplex.training.chat_answers --prompt-set open`."
            )

    def draw(self, rng: Random) -> Conversation:
        """One conversation; its text holds the end-of-text marker wherever an answer ends."""
        wording, found = rng.choice(self.wordings)
        asked = rng.choice(found)
        prompt, answer = self.answers[asked]
        text, updates, seen = "", [], [asked]
        count = 0 if rng.random() < UNDISTURBED else rng.choices(range(1, MOST_UPDATES + 1), (6, 3, 1))[0]
        begun = 0
        for _ in range(count):
            cut, ended = self._cut(rng, answer, begun)
            text += answer[begun:cut] + END * ended
            update, then = self._update(rng, asked, found, seen, ended)
            updates.append((len(text), update))
            if then is None:
                # It changes nothing.
                begun = cut
                if ended:
                    answer, begun = "", 0
                continue
            fresh = self.answers[then][1]
            if not ended and answer[:cut] == fresh[:cut]:
                begun = cut
            else:
                text, begun = text + self._lead(rng, asked, then, answer[:cut], fresh, ended), 0
            asked, answer = then, fresh
            seen.append(asked)
        return Conversation([{"role": "user", "content": prompt}], text + answer[begun:] + END, updates)

    def _cut(self, rng: Random, answer: str, begun: int) -> tuple[int, bool]:
        """Where an answer is interrupted, behind a word, and whether that is after its end."""
        places = [match.end() for match in re.finditer(r"\S+", answer) if match.end() > begun]
        chance = rng.random()
        if not places or chance < 0.15:
            return len(answer), True
        if chance < 0.25 and begun == 0:
            return 0, False
        # Half of them early on.
        return rng.choice(places[:12] if chance < 0.6 else places), False

    def _update(
        self, rng: Random, asked: Request, found: list[Request], seen: list[Request], ended: bool
    ) -> tuple[str, Request | None]:
        words, chance = wordings(), rng.random()
        if chance < CHATTER:
            return common()[rng.choice(("chatter", "other_speaker", "confirmation"))].draw(rng, False), None
        styled = [Request(asked.wording, asked.topic, style) for style in words["styles"]]
        styled = [request for request in styled if request in self.answers and request != asked]
        if styled and chance < CHATTER + STYLE:
            then = rng.choice(styled)
            return rng.choice(words["styles"][then.style]["updates"]), then
        topics = {request.topic for request in seen}
        back = [request for request in found if request.topic in topics - {asked.topic}]
        if back and rng.random() < 0.3:
            then, kind = back[0], "back"
        else:
            then = rng.choice([request for request in found if request.topic != asked.topic])
            kind = "follow" if ended and rng.random() < 0.6 else "switch"
        return rng.choice(words[kind]).format(new=then.topic, old=asked.topic), then

    def _lead(self, rng: Random, asked: Request, then: Request, before: str, fresh: str, ended: bool) -> str:
        if not before and not ended:
            return ""
        if ended and rng.random() < 0.5:
            return " " if "\n" not in fresh else "\n"
        within = not ended and before[-1] not in ".!?:\n"
        kind = "within" if within else "after"
        leads = wordings()["leads"]["style" if then.topic == asked.topic else kind]
        lead = rng.choice([lead for lead in leads if within == lead.startswith("--")])
        return f" {lead.format(new=then.topic)}" + ("\n" if "\n" in fresh else " ")


__all__ = ["OpenChat", "open_prompts"]
