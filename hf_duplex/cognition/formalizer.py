"""
Formalizers turn raw input into a clean context. Hesitations and stutters are removed, corrections applied, and number
words written as digits: "Revenue was, um, fifty million. Correction, fifteen million." is "Revenue was 15 million."

[`RuleFormalizer`] needs no model; it uses `dataset_builder.speech.disfluency` to find where a sentence breaks off and
which words a correction replaces. [`ChatFormalizer`] uses any chat model, and the rules if its answer is unusable.
"""

import json
import logging
import re
from typing import Protocol

from dataset_builder.speech.disfluency import cue_kind, find_cue, repair, split_at_cue
from dataset_builder.world.number_words import from_words

from ..runtime.chat_generator import ChatGenerator, Message


logger = logging.getLogger(__name__)

NUMBER_WORD = (
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    "eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred"
)
NUMBERS = re.compile(rf"\b(?:{NUMBER_WORD})(?:(?:-| and | )(?:{NUMBER_WORD}))*\b", re.IGNORECASE)
NUMBER = re.compile(r"[$€£]?\d(?:[\d.,:]*\d)?")
UNIT = re.compile(r"\s+(?:thousand|million|billion|percent|people|dollars?|euros?)\b", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[.!?…;])\s+")
ASIDE = re.compile(r"(?:\s*,)?\s*\b(?:you know|sort of|kind of|basically|like(?=,))\b,?", re.IGNORECASE)
STUTTER = re.compile(r"\b([a-z']+(?: [a-z']+)?)(?:[-,]? \1\b)+", re.IGNORECASE)
DOUBLES = frozenset("that had very really so no bye knock".split())
"""Words that may be repeated without being a stutter."""
RETRACTION = re.compile(r"(?:scratch|scrap|strike|forget|remove|ignore) (?:that|this|it)|never ?mind", re.IGNORECASE)
SURE = re.compile(r"\bi mean\b|\bscratch that\b|\bstrike that\b|\bmake that\b|\bno wait\b|\bwait no\b", re.IGNORECASE)
"""Cues that are corrections in any position."""
VERB = re.compile(
    r"(?<=\S)\s*(?:=|\b(?:is|was|are|were|has|had|have|should|must|will|would|can|costs?|needs?|wants?|starts?|ends?|takes?|"
    r"took|owes?|spends?|spent|employs?|holds?|goes|makes?|made|comes?|equals?)\b)",
    re.IGNORECASE,
)
INSTRUCTION = (
    "You write down what a speaker meant. Answer with one JSON object that holds `transcription_raw` and "
    "`formalized_intent`, and with nothing else. `formalized_intent` is what was understood so far together with what "
    "is said now: remove hesitations and repetitions, apply corrections, add nothing."
)


class Formalizer(Protocol):
    """Turns raw input into a context."""

    def formalize(self, context: str, text: str) -> str:
        """
        Args:
            context (`str`): The context before; may be empty.
            text (`str`): The raw input since then.

        Returns:
            `str`: The new context, complete. Deterministic.
        """
        ...


def is_correction(text: str) -> bool:
    """Whether an utterance corrects an earlier one: it starts with "Correction,", "No,", "I mean"."""
    return _leading_cue(_clean(text)) != ""


class RuleFormalizer:
    """Formalizes by rules, offline, in less than a millisecond per sentence."""

    def formalize(self, context: str, text: str) -> str:
        known = _sentences(context)
        for said in _sentences(text):
            cut = split_at_cue(said) if said.endswith("?") else None
            if cut is not None:
                known.append(_digits(repair(cut.prompt, cut.update)))
                continue
            sentence = _clean(said)
            cue = _leading_cue(sentence)
            if cue:
                _correct(known, cue, sentence[len(cue) :])
            elif sentence.strip(" ,.;:!?…-"):
                known.append(_within(sentence))
        return " ".join(_finish(sentence) for sentence in known)


class ChatFormalizer:
    """
    Formalizes by a chat model, with greedy decoding. If its answer is not JSON with a `formalized_intent`, the rules
    are used, and a warning is logged.

    Args:
        voice ([`ChatGenerator`]): The model.
        max_new_tokens (`int`, *optional*, defaults to 200): Longest answer.
    """

    def __init__(self, voice: ChatGenerator, max_new_tokens: int = 200):
        self.voice, self.max_new_tokens, self.rules = voice, max_new_tokens, RuleFormalizer()

    @classmethod
    def from_name(cls, name: str) -> "ChatFormalizer":
        """Loads the chat model from a folder or Hub name."""
        return cls(ChatGenerator.from_name(name, "--formalizer"))

    def formalize(self, context: str, text: str) -> str:
        asked = json.dumps({"understood_so_far": context, "said_now": text}, ensure_ascii=False)
        messages: list[Message] = [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": asked}]
        answer = self.voice.say(messages, max_new_tokens=self.max_new_tokens)
        intent = read_intent(answer)
        if intent is None:
            logger.warning("The formalizer's answer is no JSON with `formalized_intent`; the rules formalize instead.")
            return self.rules.formalize(context, text)
        return intent


def read_intent(answer: str) -> str | None:
    """The `formalized_intent` of an answer, with any text around the JSON; None if there is none."""
    start, end = answer.find("{"), answer.rfind("}")
    try:
        found = json.loads(answer[start : end + 1]) if 0 <= start < end else None
    except ValueError:
        return None
    intent = found.get("formalized_intent") if isinstance(found, dict) else None
    return " ".join(intent.split()) if isinstance(intent, str) and intent.strip() else None


def _sentences(text: str) -> list[str]:
    """Splits into sentences; one that breaks off ("I want... no") is not split."""
    text = " ".join(text.split()).replace("…", "...")
    parts: list[str] = []
    for part in filter(None, SENTENCE.split(text)):
        if parts and parts[-1].endswith("..."):
            parts[-1] = f"{parts[-1]} {part}"
        else:
            parts.append(part)
    return parts


def _clean(sentence: str) -> str:
    """Removes hesitations and stutters, and writes numbers as digits."""
    words = sentence.split()
    for at, word in enumerate(words):
        if cue_kind(word.strip(",.;:!?…-")) != "filler":
            continue
        last = at == len(words) - 1
        if 0 < at and not last and _counts(words[at - 1]) and _counts(words[at + 1]):
            words[at] = "no,"
            words[at - 1] = f"{words[at - 1].rstrip(',')},"
            continue
        # Keep the end of the sentence; remove a hesitation with the pauses around it.
        words[at] = word[len(word.rstrip(".!?;…")) :] if last else ""
        if at and word.endswith(","):
            words[at - 1] = words[at - 1].rstrip(",")
    text = re.sub(r"\s+(?=[.,;:!?])", "", " ".join(word for word in words if word))
    text = ASIDE.sub("", text).lstrip(" ,")
    text = STUTTER.sub(lambda found: found[0] if found[1].lower() in DOUBLES else found[1], text)
    return re.sub(r",(?:\s*,)+", ",", _digits(text))


def _counts(word: str) -> bool:
    """Whether a word is a number, or part of one."""
    return word[:1].isdigit() or NUMBERS.match(word) is not None


def _digits(text: str) -> str:
    """Writes numbers from 13 on, or before a unit, as digits; other small numbers stay words."""

    def digits(found: re.Match[str]) -> str:
        number = from_words(found[0])
        counted = UNIT.match(found.string, found.end())
        return str(number) if number is not None and (number > 12 or counted) else found[0]

    return NUMBERS.sub(digits, text)


def _leading_cue(sentence: str) -> str:
    """The words that announce a correction at the start of a sentence, "" if there are none."""
    cue = find_cue(sentence)
    kind = cue_kind(cue)
    if kind not in ("phrase", "word"):
        return ""
    rest = sentence[len(cue) :]
    pause = rest[:1] in ",:;.-" or not rest.strip() or re.search(r"[,:;-]", cue)
    # "No revenue was reported", "Wait for the report" and "Actually we grew" are not corrections.
    return cue if pause or SURE.search(cue) or _is_value(rest) else ""


def _is_value(text: str) -> bool:
    """Whether a text is little more than a number, or sets one: "15 million", "x = 7"."""
    return bool(re.fullmatch(r"\s*(?:\w+ ?= ?)?[$€£]?\d[\w.,:%]*(?: \w+)?[\s.!?]*", text))


def _within(sentence: str) -> str:
    """Applies the corrections within a sentence."""
    for _ in range(8):
        cut = split_at_cue(sentence)
        if cut is None:
            return sentence
        cue = find_cue(cut.update)
        rest = cut.update[len(cue) :].strip(" ,;:.-")
        if not _breaks_off(cut.prompt, cue, cut.update[len(cue) :]):
            return sentence
        end = sentence[-1] if sentence[-1] in ".!?" and not sentence.endswith("...") else ""
        if RETRACTION.search(cue) and _is_statement(rest):
            sentence = rest
        else:
            sentence = _put(rest, cut.prompt.rstrip(" ,;:.-")) + end
    return sentence


def _breaks_off(said: str, cue: str, rest: str) -> bool:
    """Whether a cue within a statement is a correction: after a pause, between numbers, or unambiguous."""
    if cue_kind(cue) not in ("phrase", "word"):
        return False
    pause = said[-1:] in ",;:.-–—" or rest[:1] in ",;:-–—"
    numbers = bool(re.search(r"\d\S*(?: \w+)?$", said) and re.match(r"\W*\d", rest))
    return pause or numbers or bool(SURE.search(cue))


def _is_statement(text: str) -> bool:
    return VERB.search(text) is not None


def _head(sentence: str) -> str:
    """The subject of a statement: the words before its verb."""
    verb = VERB.search(sentence)
    about = sentence[: verb.start()] if verb else ""
    return re.sub(r"^(?:the|our|its|a|an) ", "", about.strip(" ,.").lower())


def _correct(known: list[str], cue: str, rest: str) -> None:
    """Applies a correction to the known sentences, in place."""
    rest = _within(rest.strip(" ,;:-"))
    if not rest.strip(" .!?"):
        if RETRACTION.search(cue) and known:
            known.pop()
        return
    if not known:
        known.append(rest)
        return
    rest = re.sub(r"^(?:it|that|this) (?:is|was|should be|has to be) (?=[$€£]?\d)", "", rest, flags=re.IGNORECASE)
    if _is_statement(rest):
        head = _head(rest)
        about = [at for at, sentence in enumerate(known) if head and _head(sentence) == head]
        if about:
            known[about[-1]] = rest
        elif RETRACTION.search(cue):
            known[-1] = rest
        else:
            known.append(rest)
        return
    rest = re.sub(r",? (?:and )?not \S+(?: \w+)?(?=[.!?]*$)", "", rest)
    at = next((at for at in reversed(range(len(known))) if re.search(r"\d", known[at])), len(known) - 1)
    at = at if re.search(r"\d", rest) else len(known) - 1
    end = known[at][-1] if known[at][-1:] in ".!?" else "."
    known[at] = _put(rest, known[at].rstrip(" ,;:.!?")) + end


def _put(words: str, sentence: str) -> str:
    """Puts words into a sentence in place of those that they correct; without final punctuation."""
    words = words.rstrip(" .!?")
    if NUMBER.fullmatch(words):
        # Keep the unit: "50 million, no, 15".
        numbers = list(NUMBER.finditer(sentence))
        if numbers:
            return f"{sentence[: numbers[-1].start()]}{words}{sentence[numbers[-1].end() :]}"
    return repair(sentence, f"correction {words}").rstrip(" ,;:.!?")


def _finish(sentence: str) -> str:
    """Adds a capital at the start, and punctuation at the end."""
    sentence = re.sub(r"\bi\b", "I", sentence.strip(" ,;:-"))
    sentence = re.sub(r"[\s,;:-]*\.{2,}$", "", sentence) or sentence
    start = re.search(r"[^\W\d_]", sentence)
    variable = re.match(r"\w+ ?=", sentence)
    if start and start.start() == 0 and not variable:
        sentence = sentence[0].upper() + sentence[1:]
    return sentence if sentence[-1:] in ".!?" else f"{sentence}."
