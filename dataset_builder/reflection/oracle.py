"""Who annotates: one protocol for a scripted oracle and any chat endpoint (exact fact deltas of games: `games`).

The prompts of a chat endpoint are those of dual_track_reflection.md, 3.3.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .schema import TYPES, Annotation, Dialogue, sentence_ends


class OracleError(RuntimeError):
    """An oracle did not answer, or not in the format that was asked for; the dialogue is left for later."""


class Oracle(Protocol):
    """The three passes over one dialogue."""

    name: str

    def annotate(self, dialogue: Dialogue) -> list[Annotation]:
        """Pass 1: what is worth a thought, with hindsight."""

    def place(self, dialogue: Dialogue, annotation: Annotation) -> Annotation | None:
        """Pass 2: the same at the earliest point where all that it refers to was said; None discards it."""

    def verify(self, dialogue: Dialogue, annotation: Annotation) -> bool:
        """Pass 3: whether a careful reader could write it there."""


@dataclass
class ScriptedOracle:
    """For synthetic dialogues: it knows what their writer wrote."""

    name: str = "scripted"

    def annotate(self, dialogue: Dialogue) -> list[Annotation]:
        """What is there already."""
        return list(dialogue.annotations)

    def place(self, dialogue: Dialogue, annotation: Annotation) -> Annotation | None:
        """The end of its sentence is the earliest place by construction."""
        return annotation

    def verify(self, dialogue: Dialogue, annotation: Annotation) -> bool:
        """Whether its last words were read."""
        return 0 < annotation.end <= len(dialogue.turns[annotation.turn].text)


_TAG = re.compile(
    r'Position:\s*\[Turn (\d+)\]\s*"(?P<quote>[^"]+)"\s*'
    r"\[DSL_START\]\s*(?P<type>\w+)\s*\|\s*(?P<summary>.+?)\s*\[DSL_END\]",
    re.DOTALL,
)
HINDSIGHT = """Your task: read the full conversation and identify all memory activation points.
- For each, output one tag with a type, one of NEW, RECALL, UPDATE, CONFLICT, and a summary of 10 to 25 tokens, written
  so that it would find this information again as a search query.
- Give the turn and quote the words that trigger it.
- Output NONE if there is nothing to remember.
Format, for each:
Position: [Turn X] "quote"
[DSL_START] TYPE | summary [DSL_END]

FULL CONVERSATION:
"""
PLACEMENT = """A tag was written with full hindsight. Say after which sentence it may stand at the earliest: all that
it refers to must have been said by then. If it refers to what is never said, answer DISCARD. Answer with the
sentence's number alone.

SENTENCES:
{sentences}

TAG: {type} | {summary}"""
VERIFICATION = """Given the conversation so far, could a careful reader write this tag? Answer YES or NO.

{text}

TAG: {type} | {summary}"""


@dataclass
class ChatOracle:
    """
    Any OpenAI-compatible endpoint, through huggingface_hub's `InferenceClient`.

    Args:
        model: Its name there.
        url: Where it is, such as that of `transformers serve`.
        retries: How often to ask again where it does not answer, or not in the format.
        timeout: Seconds for one answer.
        client: In place of an `InferenceClient`.
    """

    model: str
    url: str | None = None
    retries: int = 2
    timeout: float = 60.0
    client: Any = None
    pause: float = 0.5

    def __post_init__(self) -> None:
        self.name = f"chat:{self.model}"
        if self.client is None:
            from huggingface_hub import InferenceClient

            self.client = (
                InferenceClient(base_url=self.url, timeout=self.timeout, api_key="-")
                if self.url
                else InferenceClient(timeout=self.timeout)
            )

    def _ask(self, prompt: str, read: Callable[[str], Any]) -> Any:
        """Asks until the answer can be read."""
        problem: Any = None
        for attempt in range(self.retries + 1):
            try:
                answer = self.client.chat_completion(
                    [{"role": "user", "content": prompt}], model=self.model, max_tokens=512, temperature=0.0
                )
                found = read(answer.choices[0].message.content or "")
                if found is not None:
                    return found
                problem = "an answer in another format"
            except Exception as error:  # noqa: BLE001  (each client raises errors of its own)
                problem = f"{type(error).__name__}: {error}"
            time.sleep(self.pause * attempt)
        raise OracleError(f"{self.name} gave {problem}, {self.retries + 1} times; what was annotated so far is kept.")

    def annotate(self, dialogue: Dialogue) -> list[Annotation]:
        """Pass 1, by the prompt of the design; quotes that are not in their turn are left out."""
        text = "\n".join(f"[Turn {number}] {turn.speaker}: {turn.text}" for number, turn in enumerate(dialogue.turns))

        def read(answer: str) -> Any:
            if answer.strip().upper().startswith("NONE"):
                return []
            found = []
            for tag in _TAG.finditer(answer):
                turn, quote = int(tag[1]), tag["quote"]
                if tag["type"] not in TYPES or turn >= len(dialogue.turns) or quote not in dialogue.turns[turn].text:
                    continue
                end = dialogue.turns[turn].text.index(quote) + len(quote)
                found.append(Annotation(tag["type"], " ".join(tag["summary"].split()), turn, end))
            return sorted(found, key=lambda a: (a.turn, a.end)) or None

        return self._ask(HINDSIGHT + text, read)

    def place(self, dialogue: Dialogue, annotation: Annotation) -> Annotation | None:
        """Pass 2, by sentences."""
        places = [(number, end) for number, turn in enumerate(dialogue.turns) for end in sentence_ends(turn.text)]
        lines: list[str] = []
        begin: dict[int, int] = {}
        for index, (turn, end) in enumerate(places):
            lines.append(f"[{index}] {dialogue.turns[turn].text[begin.get(turn, 0) : end].strip()}")
            begin[turn] = end

        def read(answer: str) -> Any:
            if "DISCARD" in answer.upper():
                return "DISCARD"
            number = re.search(r"\d+", answer)
            return int(number[0]) if number and int(number[0]) < len(places) else None

        found = self._ask(
            PLACEMENT.format(sentences="\n".join(lines), type=annotation.type, summary=annotation.summary), read
        )
        return None if found == "DISCARD" else replace(annotation, turn=places[found][0], end=places[found][1])

    def verify(self, dialogue: Dialogue, annotation: Annotation) -> bool:
        """Pass 3."""
        turns = [f"{turn.speaker}: {turn.text}" for turn in dialogue.turns[: annotation.turn]]
        last = dialogue.turns[annotation.turn]
        text = "\n".join([*turns, f"{last.speaker}: {last.text[: annotation.end]}"])

        def read(answer: str) -> Any:
            word = re.search(r"\b(YES|NO)\b", answer.upper())
            return (word[0] == "YES",) if word else None

        return self._ask(VERIFICATION.format(text=text, type=annotation.type, summary=annotation.summary), read)[0]
