"""Models small enough to build anew for every test, and what it takes to lead them through a conversation."""

import functools

import torch
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import LogitsProcessor, PreTrainedTokenizerFast

from hf_duplex import (
    DualStreamConfig,
    DualStreamForCausalLM,
    DuplexBaselineConfig,
    DuplexBaselineForCausalLM,
    Interrupt,
    WorkspaceConfig,
    WorkspaceForCausalLM,
)
from hf_duplex.modeling.update_rules import UPDATE_RULES


VOCAB, PAD, BOS, EOS, SEP, UPDATE = 64, 0, 1, 2, 3, 4
FIRST_WORD = 5
CHARACTERS = " abcdefghijklmnopqrstuvwxyz0123456789.,:;?!=+-*/()'\"<>#%&@_"
assert FIRST_WORD + len(CHARACTERS) == VOCAB

# Every generator, the workspace with each of its update rules.
RULES = list(UPDATE_RULES)
GENERATORS = ["baseline", "dual_stream", *RULES]
# One of each kind, where the rule makes no difference.
KINDS = ["baseline", "dual_stream", "validity"]
LISTENERS = ["dual_stream", "validity", "gated"]

SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_message_length": 6,
    # Large enough that what was heard changes what is said.
    "initializer_range": 0.3,
}


def tiny_config(name: str, **overrides):
    sizes = {**SIZES, **overrides}
    if name == "baseline":
        return DuplexBaselineConfig(**sizes)
    if name == "dual_stream":
        return DualStreamConfig(**{"encoder_layers": 1, "notice_updates": True, **sizes})
    n_slots = 32 if name in ("validity", "defeasible") else 5
    return WorkspaceConfig(
        **{"update_type": name, "n_slots": n_slots, "encoder_layers": 1, "notice_updates": True, **sizes}
    )


def head_of(config):
    return {
        "duplex_baseline": DuplexBaselineForCausalLM,
        "duplex_dual_stream": DualStreamForCausalLM,
        "duplex_workspace": WorkspaceForCausalLM,
    }[config.model_type]


@functools.lru_cache(maxsize=64)
def _model(name, seed, attention, overrides):
    config = tiny_config(name, **dict(overrides))
    config._attn_implementation = attention
    generator = torch.random.get_rng_state()
    torch.manual_seed(seed)
    model = head_of(config)(config).eval()
    for key, parameter in model.named_parameters():
        # What starts at nothing (the distance of a message, a doubt that hardly doubts) takes part here.
        if key.endswith(("update_rule.distance.weight", "update_rule.bias")):
            parameter.data.normal_(0.0, 0.5)
    torch.random.set_rng_state(generator)
    return model


def tiny_model(name: str, seed: int = 0, attention: str = "sdpa", **overrides):
    """A model in evaluation mode, shared between tests: do not change it. Weights depend on the seed alone."""
    return _model(name, seed, attention, tuple(sorted(overrides.items())))


def talking_model(name: str):
    """A tiny model with room for messages of text."""
    return tiny_model(name, max_message_length=32, **({"n_slots": 64} if name == "validity" else {}))


def words(*shape, seed: int = 0) -> torch.LongTensor:
    """Random ids of plain words: no padding, no control token."""
    return torch.randint(FIRST_WORD, VOCAB, shape, generator=torch.Generator().manual_seed(seed))


def pad_messages(rows: list[list[list[int]]], length: int = 0) -> tuple[torch.LongTensor, torch.LongTensor]:
    """Messages of each row, `(batch, messages, length)`, and their mask."""
    count = max(1, *(len(row) for row in rows))
    length = max(1, length, *(len(message) for row in rows for message in row))
    ids = torch.zeros(len(rows), count, length, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        for column, message in enumerate(row):
            ids[index, column, : len(message)] = torch.tensor(message)
            mask[index, column, : len(message)] = 1
    return ids, mask


def pad_rows(rows: list[list[int]], left: bool = False) -> tuple[torch.LongTensor, torch.LongTensor]:
    """Rows of different length, `(batch, length)`, and their mask."""
    length = max(1, *map(len, rows))
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        place = slice(length - len(row), length) if left else slice(0, len(row))
        ids[index, place] = torch.tensor(row, dtype=torch.long)
        mask[index, place] = 1
    return ids, mask


class Schedule:
    """
    An `interrupt_callback`: `updates` holds for each row pairs (length of the emitted stream, words of the update).
    """

    def __init__(self, *updates: list[tuple[int, list[int]]]):
        self.updates = updates

    def __call__(self, input_ids):
        due = [[ids for at, ids in row if at == input_ids.shape[1]] for row in self.updates]
        return Interrupt(*pad_messages(due)) if any(due) else None


class AtOnce:
    """An `interrupt_callback` that hands over its updates, a list of messages for each row, at its first call."""

    def __init__(self, *updates: list[list[int]]):
        self.waiting: Interrupt | None = Interrupt(*pad_messages(list(updates)))

    def __call__(self, input_ids):
        interrupt, self.waiting = self.waiting, None
        return interrupt


class Say(LogitsProcessor):
    """Makes a model say what is written down; its raw logits stay its own."""

    def __init__(self, ids: torch.LongTensor):
        self.ids = ids

    def __call__(self, input_ids, scores):
        forced = torch.full_like(scores, -torch.inf)
        return forced.scatter(1, self.ids[:, input_ids.shape[1], None], 0.0)


def step_by_step(model, emitted: torch.LongTensor, callback=None, **kwargs):
    """Leads a model through `emitted` one token at a time; its logits, `(batch, length, vocab_size)`, and all else."""
    after = torch.cat([emitted, emitted[:, -1:]], dim=1)
    output = model.generate(
        emitted[:, :1],
        interrupt_callback=callback,
        logits_processor=[Say(after)],
        max_new_tokens=emitted.shape[1],
        eos_token_id=None,
        output_logits=True,
        return_dict_in_generate=True,
        **kwargs,
    )
    return torch.stack(output.logits, dim=1), output


def greedy(model, input_ids=None, n: int = 12, **kwargs):
    """Greedy generation of `n` tokens whatever they are, everything returned."""
    options = {"max_new_tokens": n, "do_sample": False, "eos_token_id": None, "output_logits": True, **kwargs}
    return model.generate(input_ids, return_dict_in_generate=True, **options)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that knows VOCAB ids: five control tokens, then one for each character."""
    vocab = {"<pad>": PAD, "<bos>": BOS, "<eos>": EOS, "<sep>": SEP, "<update>": UPDATE}
    vocab |= {character: FIRST_WORD + index for index, character in enumerate(CHARACTERS)}
    tokenizer = Tokenizer(models.BPE(vocab, merges=[], unk_token="_"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        sep_token="<sep>",
        extra_special_tokens={"update_token": "<update>"},
    )
