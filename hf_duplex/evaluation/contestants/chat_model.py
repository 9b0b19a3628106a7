"""Any chat model of transformers in the same conversations: stopped, given the update, and run for another turn."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteria, StoppingCriteriaList

from dataset_builder import END, Sample

from ..benchmarks.conversation import Transcript


BROKEN_OFF = " --"
"""The mark after a turn that was cut within a sentence, as after interrupted words in the data."""

WHOLE = (".", "!", "?", "}")
"""How a complete sentence or object ends."""


def join_turns(turns: Sequence[str]) -> str:
    """The turns of a model as one text."""
    return " ".join(turn for turn in map(str.strip, turns) if turn)


def mark_turn(turn: str, ended: bool) -> str:
    """
    A turn in the form that is judged, its end marked as the three generators mark theirs. Without a mark the words
    before a cut and those of the next turn would form one sentence: "The capital is" and "Lima is nice" would claim a
    capital.
    """
    turn = turn.strip()
    return f"{turn}{'' if ended or turn.endswith(WHOLE) else BROKEN_OFF}{END}"


@dataclass
class Talk:
    """
    One conversation under way.

    Attributes:
        waiting (`deque[tuple[float, str]]`): The updates to come, each with the progress of the text at which it is
            due.
        messages (`list[dict[str, str]]`): The conversation in the format of a chat template.
        turns (`list[str]`): What the model emitted, turn by turn.
        marked (`list[str]`): The same, each finished turn with its end mark (see [`mark_turn`]).
        tokens (`list[int]`): The same as tokens, without those that end a turn.
        heard_at, heard_after (`list[int]`): For each update, the characters and tokens emitted when it was received.
        milliseconds (`list[float]`): For each update, the time to the next token.
        ended (`bool`): Whether the model ended its last turn by itself.
        measure (`Callable[[str], float]`): Progress of a text; by default in characters.
    """

    waiting: deque[tuple[float, str]]
    messages: list[dict[str, str]]
    turns: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    heard_at: list[int] = field(default_factory=list)
    heard_after: list[int] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    ended: bool = False
    measure: Callable[[str], float] = len

    @classmethod
    def of(cls, sample: Sample) -> "Talk":
        """An update that comes after the end in the sample comes after the end here too."""
        end = sample.target.index(END)
        places = [place if place <= end else float("inf") for place in (u["position"] for u in sample.updates)]
        texts = [update["text"] for update in sample.updates]
        return cls(deque(zip(places, texts, strict=True)), [{"role": "user", "content": sample.prompt}])

    @property
    def said(self) -> str:
        """The text so far without marks. Progress is counted in it, since the model does not emit the marks."""
        return join_turns(self.turns)

    @property
    def text(self) -> str:
        """The text in the form that is judged."""
        return " ".join(self.marked)

    @property
    def due(self) -> float:
        """The progress of the text at which the next update is due."""
        return self.waiting[0][0] if self.waiting else float("inf")

    def receive(self, until: float) -> int:
        """Adds all updates that are due at this progress to the messages; returns their number."""
        texts = []
        place = len(self.text)
        while self.waiting and self.waiting[0][0] <= until:
            texts.append(self.waiting.popleft()[1])
            self.heard_at.append(place)
            self.heard_after.append(len(self.tokens))
        told = "\n".join(texts)
        if told and self.messages[-1]["role"] == "user":
            # Nothing was emitted in between: two user messages are merged, since templates require alternating roles.
            self.messages[-1] = {"role": "user", "content": f"{self.messages[-1]['content']}\n{told}"}
        elif told:
            self.messages.append({"role": "user", "content": told})
        return len(texts)

    def say(self, tokens: list[int], text: str, ended: bool) -> None:
        self.tokens += tokens
        self.ended = ended
        if text.strip():
            self.turns.append(text)
            # A last turn that was not cut and did not end stays open.
            self.marked.append(mark_turn(text, ended) if ended or self.waiting else text.strip())
            self.messages.append({"role": "assistant", "content": text.strip()})


class Until(StoppingCriteria):
    """
    Stops each row of a batch where its next update is due. The word under way is finished first, since half a name
    would be judged as a wrong one. So a row is stopped by the token that begins the next word.

    Attributes:
        stopped (`list[int | None]`): How many tokens of this turn each row keeps, None if it was not stopped.
        first (`float`, *optional*): The time of the first token, in seconds.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, talks: Sequence[Talk], columns: int, ends: set[int]):
        self.tokenizer, self.talks, self.columns, self.ends = tokenizer, talks, columns, ends
        self.stopped: list[int | None] = [None] * len(talks)
        self.first: float | None = None

    def __call__(self, input_ids: torch.LongTensor, scores: torch.Tensor, **kwargs) -> torch.BoolTensor:
        rows = input_ids[:, self.columns :].tolist()
        self.first = time.perf_counter() if self.first is None else self.first
        for index, (talk, tokens) in enumerate(zip(self.talks, rows, strict=True)):
            if self.stopped[index] is None and talk.due < float("inf") and self._is_due(talk, tokens):
                self.stopped[index] = len(tokens) - 1
        return torch.tensor([stopped is not None for stopped in self.stopped], device=input_ids.device)

    def _is_due(self, talk: Talk, tokens: list[int]) -> bool:
        """Whether the update of a row was due before its last token, and that token begins another word."""
        if not self.ends.isdisjoint(tokens):
            return False
        before, said = (self.tokenizer.decode(part, skip_special_tokens=True) for part in (tokens[:-1], tokens))
        if talk.measure(join_turns([*talk.turns, before])) < talk.due:
            return False
        return before[-1:].isspace() or said[len(before) :][:1].isspace()


def until_end(tokens: list[int], ends: set[int]) -> list[int]:
    """Tokens before the first one that ends a turn."""
    return tokens[: next((index for index, token in enumerate(tokens) if token in ends), len(tokens))]


def check_chat(name: str, tokenizer: PreTrainedTokenizerBase) -> None:
    """
    Checks that a tokenizer can format a conversation.

    Raises:
        ValueError: It has no chat template.
    """
    if not tokenizer.chat_template:
        raise ValueError(
            f"`--model`: the tokenizer of {name} has no chat template, so that nobody can tell the model that a turn "
            "is over: name a chat model, or save a `chat_template` with the tokenizer."
        )


class ChatModel:
    """
    A contestant that cannot receive updates while it emits: any causal language model of transformers, used through
    the chat template of its tokenizer. The prompt is a user message. Where an update is due (after as many characters
    as precede it in the sample, and at the end of a word) the turn is cut, the update becomes the next user message,
    and the model generates another turn. Its text is its turns, each with its end mark (see [`mark_turn`]), joined by
    spaces. The whole conversation is read again every turn.

    Args:
        name (`str`): What results call it.
        model (`PreTrainedModel`): The model.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.

    Raises:
        ValueError: The tokenizer has no chat template, or nothing ends a turn.
    """

    def __init__(self, name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase):
        check_chat(name, tokenizer)
        self.name, self.model, self.tokenizer = name, model, tokenizer
        self.model_type: str = model.config.model_type
        self.parameters: int = model.num_parameters()
        configured = model.generation_config.eos_token_id
        configured = configured if isinstance(configured, list) else [configured]
        self.ends: set[int] = {tokenizer.eos_token_id, *configured} - {None}
        if not self.ends:
            raise ValueError(f"`--model`: {name} has no token that ends a turn: set `eos_token` of its tokenizer.")
        self.pad: int = min(self.ends) if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    def converse(self, samples: Sequence[Sample], max_new_tokens: int = 400) -> list[Transcript]:
        """Runs a batch of samples on the model, greedily; each turn is cut after `max_new_tokens`."""
        talks = [Talk.of(sample) for sample in samples]
        self.hold(talks, max_new_tokens)
        return [
            Transcript(
                talk.tokens,
                talk.text,
                talk.heard_at,
                talk.ended,
                heard_after=talk.heard_after,
                milliseconds=talk.milliseconds,
            )
            for talk in talks
        ]

    @torch.inference_mode()
    def hold(self, talks: Sequence[Talk], max_new_tokens: int) -> None:
        """Completes a batch of conversations, greedily; each turn is cut after `max_new_tokens`."""
        counts = [talk.receive(until=0) for talk in talks]
        speaking = list(talks)
        while speaking:
            self._take_turns(speaking, counts, max_new_tokens)
            speaking = [talk for talk in speaking if talk.waiting]
            # Updates that are due have arrived; a model that ended too early gets the next one.
            counts = [talk.receive(until=max(talk.due, talk.measure(talk.said))) for talk in speaking]

    def _take_turns(self, talks: Sequence[Talk], counts: Sequence[int], max_new_tokens: int) -> None:
        """Generates one turn of each conversation, after this many updates in each."""
        start = time.perf_counter()
        texts = [
            self.tokenizer.apply_chat_template(talk.messages, tokenize=False, add_generation_prompt=True)
            for talk in talks
        ]
        rows = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        longest = max(map(len, rows))
        ids = torch.tensor([[self.pad] * (longest - len(row)) + row for row in rows], device=self.model.device)
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=self.model.device)
        until = Until(self.tokenizer, talks, longest, self.ends)
        sequences = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            stopping_criteria=StoppingCriteriaList([until]),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=sorted(self.ends),
            pad_token_id=self.pad,
        )
        assert until.first is not None
        milliseconds = (until.first - start) * 1000
        for talk, count, stopped, sequence in zip(talks, counts, until.stopped, sequences.tolist(), strict=True):
            # After the end of a row is padding.
            emitted = sequence[longest:][:stopped]
            said = until_end(emitted, self.ends)
            ended = len(said) < len(emitted)
            talk.say(said, self.tokenizer.decode(said, skip_special_tokens=True), ended)
            talk.milliseconds += [milliseconds] * count
