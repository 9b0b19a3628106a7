"""Any chat model of transformers in the same conversations: it is stopped, told, and takes another turn."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteria, StoppingCriteriaList

from dataset_builder import END, Sample

from ..benchmarks.conversation import Transcript


BROKEN_OFF = " --"
"""Behind a turn that was cut short within a sentence, as in the data behind words that are broken off."""

WHOLE = (".", "!", "?", "}")
"""How a sentence or an object ends that nothing breaks off."""


def join_turns(turns: Sequence[str]) -> str:
    """The turns of a speaker as one text."""
    return " ".join(turn for turn in map(str.strip, turns) if turn)


def mark_turn(turn: str, ended: bool) -> str:
    """
    A turn as a judge reads it, its end spelt out as the three generators spell theirs. Without a mark the words before
    a cut and those of the next turn would be one sentence: "The capital is" and "Lima is nice" would claim a capital.
    """
    turn = turn.strip()
    return f"{turn}{'' if ended or turn.endswith(WHOLE) else BROKEN_OFF}{END}"


@dataclass
class Talk:
    """
    One conversation under way.

    Attributes:
        waiting (`deque[tuple[float, str]]`): The updates to come, each with how far the text has come before it.
        messages (`list[dict[str, str]]`): The conversation as a chat template takes it.
        turns (`list[str]`): What the model said, turn by turn.
        marked (`list[str]`): The same, with the mark of the end of each turn that is over (see [`mark_turn`]).
        tokens (`list[int]`): The same as tokens, without those that end a turn.
        heard_at, heard_after (`list[int]`): How many characters and tokens had been said when each update was heard.
        milliseconds (`list[float]`): What each update took to the next token.
        ended (`bool`): Whether the model ended its last turn by itself.
        measure (`Callable[[str], float]`): How far a text has come; in characters where it is not given.
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
        """What comes after the end in the sample comes after the end here, however long the model speaks."""
        end = sample.target.index(END)
        places = [place if place <= end else float("inf") for place in (u["position"] for u in sample.updates)]
        texts = [update["text"] for update in sample.updates]
        return cls(deque(zip(places, texts, strict=True)), [{"role": "user", "content": sample.prompt}])

    @property
    def said(self) -> str:
        """All words so far. How far the model has come is counted in these, since it does not say the marks."""
        return join_turns(self.turns)

    @property
    def text(self) -> str:
        """All that was said as a judge reads it."""
        return " ".join(self.marked)

    @property
    def due(self) -> float:
        """How far the text has come when the next update comes."""
        return self.waiting[0][0] if self.waiting else float("inf")

    def receive(self, until: float) -> int:
        """Tells the model all updates that come until the text is so far; how many these were."""
        texts = []
        place = len(self.text)
        while self.waiting and self.waiting[0][0] <= until:
            texts.append(self.waiting.popleft()[1])
            self.heard_at.append(place)
            self.heard_after.append(len(self.tokens))
        told = "\n".join(texts)
        if told and self.messages[-1]["role"] == "user":
            # Nothing was said in between: two messages of one speaker are one, since templates want them to alternate.
            self.messages[-1] = {"role": "user", "content": f"{self.messages[-1]['content']}\n{told}"}
        elif told:
            self.messages.append({"role": "user", "content": told})
        return len(texts)

    def say(self, tokens: list[int], text: str, ended: bool) -> None:
        self.tokens += tokens
        self.ended = ended
        if text.strip():
            self.turns.append(text)
            # A last turn that nothing cut and that did not end stays open.
            self.marked.append(mark_turn(text, ended) if ended or self.waiting else text.strip())
            self.messages.append({"role": "assistant", "content": text.strip()})


class Until(StoppingCriteria):
    """
    Stops each row of a batch where its next update is due. The word under way is finished, as a generator finishes its
    token: half a name would be judged as a wrong one. So a row is stopped by the token that begins the next word.

    Attributes:
        stopped (`list[int | None]`): How many tokens of this turn each row keeps, None if it was not stopped.
        first (`float`, *optional*): When the first token came, in seconds.
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
    Whether a tokenizer can lay out a conversation.

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
    A contestant that knows nothing of updates while it speaks: any causal language model of transformers, driven
    through the chat template of its tokenizer. The prompt is a message of the user. Where an update is due, after as
    many characters as the sample has before it and at the end of a word, the turn is cut short, the update is the
    user's next message, and the model takes another turn. Its text is its turns, each with the mark of its end (see
    [`mark_turn`]), joined by spaces. The whole conversation is read again every turn.

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
        """Plays a batch of samples to the model, greedily; after so many tokens each turn is cut short."""
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
        """Leads a batch of conversations to their ends, greedily; after so many tokens each turn is cut short."""
        counts = [talk.receive(until=0) for talk in talks]
        speaking = list(talks)
        while speaking:
            self._take_turns(speaking, counts, max_new_tokens)
            speaking = [talk for talk in speaking if talk.waiting]
            # What is due has come; where a model is done too early, it is told what comes next.
            counts = [talk.receive(until=max(talk.due, talk.measure(talk.said))) for talk in speaking]

    def _take_turns(self, talks: Sequence[Talk], counts: Sequence[int], max_new_tokens: int) -> None:
        """One turn of each conversation, after so many updates in each."""
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
            # Behind the end of a row is padding.
            emitted = sequence[longest:][:stopped]
            said = until_end(emitted, self.ends)
            ended = len(said) < len(emitted)
            talk.say(said, self.tokenizer.decode(said, skip_special_tokens=True), ended)
            talk.milliseconds += [milliseconds] * count
