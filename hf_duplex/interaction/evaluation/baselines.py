"""
What a policy has to beat. All but the rule harness read the transcript and nothing else: the likeliest action, an
n-gram model, logistic regression, and any causal language model of transformers. The members of an alias pair have the
same transcript, so each of these gives both the same action, and separates no pair.
"""

import copy
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import groupby, takewhile
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from transformers import AutoModelForCausalLM, AutoTokenizer, Cache, PreTrainedModel, PreTrainedTokenizerBase

from dataset_builder.interaction import ACTIONS, Example, decide

from ...bases import load_base


STREAMS_SEEN, TRANSCRIPT_SEEN = "streams", "transcript"


class Policy(Protocol):
    """
    Whatever decides what to do.

    Attributes:
        sees (`str`): `"streams"`, or `"transcript"` for what reads that alone.
    """

    sees: str

    def predict(self, examples: Sequence[Example]) -> list[str]:
        """An action for each example, in their order."""
        ...


class Baseline(Policy, Protocol):
    """A policy that is fitted to examples first."""

    def fit(self, examples: Sequence[Example]) -> Self: ...


def _some(examples: Sequence[Example]) -> Sequence[Example]:
    if not examples:
        raise ValueError("`examples` is empty; fit a baseline to at least one example.")
    return examples


def _likeliest(counts: Counter[str]) -> str:
    """The most frequent action; of equally frequent ones, the first of `ACTIONS`."""
    return max(ACTIONS, key=lambda action: counts[action])


class MajorityBaseline:
    """Always the action that was right most often."""

    sees = TRANSCRIPT_SEEN

    def fit(self, examples: Sequence[Example]) -> Self:
        self.action = _likeliest(Counter(example.action for example in _some(examples)))
        return self

    def predict(self, examples: Sequence[Example]) -> list[str]:
        return [self.action] * len(examples)


class NgramBaseline:
    """
    Takes the action for the next word of the transcript: the likeliest one after its last `order - 1` words, or, where
    these were never seen, after fewer of them.

    Args:
        order (`int`, *optional*, defaults to 4): The longest n-gram, the action counted in.

    Raises:
        ValueError: `order` is not positive.
    """

    sees = TRANSCRIPT_SEEN

    def __init__(self, order: int = 4):
        if order < 1:
            raise ValueError(f"`order` must be at least 1, got {order}.")
        self.order = order

    def _contexts(self, example: Example) -> list[tuple[str, ...]]:
        """The last words of a transcript, longest first, the empty context last."""
        words = example.transcript.split()
        longest = min(self.order - 1, len(words))
        return [tuple(words[len(words) - length :]) for length in range(longest, -1, -1)]

    def fit(self, examples: Sequence[Example]) -> Self:
        counts: dict[tuple[str, ...], Counter[str]] = {}
        for example in _some(examples):
            for context in self._contexts(example):
                counts.setdefault(context, Counter())[example.action] += 1
        self.action = {context: _likeliest(found) for context, found in counts.items()}
        return self

    def predict(self, examples: Sequence[Example]) -> list[str]:
        return [
            next(self.action[context] for context in self._contexts(example) if context in self.action)
            for example in examples
        ]


class LogisticBaseline:
    """
    Logistic regression of scikit-learn on which word n-grams the transcript holds.

    Args:
        order (`int`, *optional*, defaults to 2): The longest n-gram.
    """

    sees = TRANSCRIPT_SEEN

    def __init__(self, order: int = 2):
        self.order = order

    def fit(self, examples: Sequence[Example]) -> Self:
        words = CountVectorizer(token_pattern=r"\S+", ngram_range=(1, self.order), binary=True)
        # Weak regularisation buys nothing here and costs most of the time: on alias pairs half is the most there is.
        self.model: Pipeline = make_pipeline(words, LogisticRegression(C=0.3, max_iter=200, tol=1e-3))
        self.model.fit([e.transcript for e in _some(examples)], [e.action for e in examples])
        return self

    def predict(self, examples: Sequence[Example]) -> list[str]:
        return [str(action) for action in self.model.predict([example.transcript for example in examples])]


class RuleHarness:
    """Sees the streams, learns nothing: the first rule of the invariant harness that holds at the last tick."""

    sees = STREAMS_SEEN

    def fit(self, examples: Sequence[Example]) -> Self:
        return self

    def predict(self, examples: Sequence[Example]) -> list[str]:
        return [decide(example.streams)[0] for example in examples]


BASELINES: dict[str, type[Baseline]] = {
    "majority": MajorityBaseline,
    "ngram": NgramBaseline,
    "logistic": LogisticBaseline,
    "rules": RuleHarness,
}


class CausalLMBaseline:
    """
    Any causal language model of transformers, told the transcript and asked for the next action: the name of each
    action is scored as the continuation, and the one with the highest total log-probability is taken. Names are put in
    words ("request approval"). A model with a chat template is asked through it.

    Args:
        model (`PreTrainedModel`): A causal language model with a key-value cache.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.

    Raises:
        ValueError: The tokenizer makes nothing of the name of an action.
    """

    sees = TRANSCRIPT_SEEN
    BATCH: ClassVar[int] = 8
    QUESTION: ClassVar[str] = (
        "You are an assistant in a live conversation. Say what you should do next: one of {actions}.\n\n"
        "{transcript}\n\nNext action:"
    )

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase):
        self.model, self.tokenizer = model.eval(), tokenizer
        self.chats = bool(tokenizer.chat_template)
        names = [action.replace("_", " ") for action in ACTIONS]
        # Behind a chat template a turn begins; behind a plain question a word does.
        texts = names if self.chats else [f" {name}" for name in names]
        rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        for action, row in zip(ACTIONS, rows):
            if not row:
                raise ValueError(
                    f"`tokenizer` makes no token of the action {action!r}; give the model's own tokenizer."
                )
        longest = max(map(len, rows))
        self.names = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=model.device)
        self.mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=model.device)
        # What follows the last token of a name is not asked for: it is never read, and a name of one token not at all.
        self.long = [index for index, row in enumerate(rows) if len(row) > 1]

    @classmethod
    def from_pretrained(cls, name: str) -> Self:
        """A model by a name that [`load_base`] takes, or a .gguf file (which takes the extra `reflection`)."""
        if not name.endswith(".gguf"):
            return cls(*load_base(name))
        from transformers import GgufConfig

        place: dict[str, Any] = {"pretrained_model_name_or_path": str(Path(name).parent), "gguf_file": Path(name).name}
        dense = GgufConfig(dequantize=True)
        # On a CPU, bfloat16 takes three times as long.
        model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32, quantization_config=dense)
        return cls(model, AutoTokenizer.from_pretrained(**place))

    def question(self, transcript: str) -> str:
        """What the model reads."""
        text = self.QUESTION.format(transcript=transcript, actions=", ".join(a.replace("_", " ") for a in ACTIONS))
        if not self.chats:
            return text
        turn = [{"role": "user", "content": text}]
        return str(self.tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True))

    def _ids(self, transcript: str) -> list[int]:
        ids: list[int] = self.tokenizer(self.question(transcript), add_special_tokens=not self.chats)["input_ids"]
        return ids

    @cached_property
    def _head(self) -> tuple[list[int], Cache]:
        """The tokens with which every question begins, and the cache that they leave."""
        pairs = zip(self._ids("A"), self._ids("B"))
        shared = [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
        ids = torch.tensor([shared], device=self.model.device)
        with torch.inference_mode():
            return shared, self.model(input_ids=ids, use_cache=True).past_key_values

    @torch.inference_mode()
    def scores(self, transcripts: Sequence[str]) -> torch.Tensor:
        """
        The log-probability of each action's name after the question: `(transcripts, actions)`, in the order of
        `ACTIONS`. What is asked in as many tokens is read side by side.
        """
        asked = [self._ids(transcript) for transcript in transcripts]
        found = torch.empty(len(asked), len(ACTIONS))
        order = sorted(range(len(asked)), key=lambda row: len(asked[row]))
        for _, same in groupby(order, key=lambda row: len(asked[row])):
            rows = list(same)
            for start in range(0, len(rows), self.BATCH):
                batch = rows[start : start + self.BATCH]
                found[batch] = self._scores(torch.tensor([asked[row] for row in batch], device=self.model.device))
        return found

    def _scores(self, ids: torch.LongTensor) -> torch.Tensor:
        """Those of questions of one length `(questions, tokens)`."""
        head, cache = self._head
        # The head is read once for all questions, and a question once for all names.
        begins = bool((ids[:, : len(head)] == torch.tensor(head, device=ids.device)).all())
        if begins:
            cache = copy.deepcopy(cache)
            cache.batch_repeat_interleave(len(ids))
        told = self.model(
            input_ids=ids[:, len(head) :] if begins else ids,
            past_key_values=cache if begins else None,
            use_cache=True,
            logits_to_keep=1,
        )
        found = told.logits[:, -1].float().log_softmax(-1)[:, self.names[:, 0]]
        if self.long:
            names, known = (values[self.long].repeat(len(ids), 1) for values in (self.names, self.mask))
            cache = told.past_key_values
            cache.batch_repeat_interleave(len(self.long))
            mask = torch.cat([ids.new_ones(len(names), ids.shape[1]), known[:, :-1]], dim=1)
            told = self.model(input_ids=names[:, :-1], attention_mask=mask, past_key_values=cache)
            chances = told.logits.float().log_softmax(-1).gather(-1, names[:, 1:, None])[..., 0]
            found[:, self.long] += chances.masked_fill(known[:, 1:] == 0, 0.0).sum(-1).view(len(ids), -1)
        return found.cpu()

    def fit(self, examples: Sequence[Example]) -> Self:
        """Nothing is learnt."""
        return self

    def predict(self, examples: Sequence[Example]) -> list[str]:
        transcripts = list(dict.fromkeys(example.transcript for example in examples))
        chosen = self.scores(transcripts).argmax(1).tolist()
        action = {transcript: ACTIONS[index] for transcript, index in zip(transcripts, chosen)}
        return [action[example.transcript] for example in examples]
