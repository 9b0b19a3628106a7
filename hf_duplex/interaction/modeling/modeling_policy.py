"""
Policies: what to do now, from what every stream held at every tick.

Three readers, one head. The GRU and the Transformer see a tick as the sum of its values; the relational one sees what
kind each stream holds by now and which streams are about the same thing.
"""

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import SequenceClassifierOutput

from .configuration_policy import PAD, UNKNOWN, StreamPolicyConfig


def last_ticks(attention_mask: torch.Tensor) -> torch.LongTensor:
    """Index of each row's last tick `(batch,)`."""
    ticks = torch.arange(1, attention_mask.shape[1] + 1, device=attention_mask.device)
    return (attention_mask.ne(0) * ticks).argmax(1)


def pairs_of(count: int, device: torch.device) -> torch.LongTensor:
    """Every two of so many streams, `(2, pairs)`."""
    return torch.triu_indices(count, count, 1, device=device)


class TickEmbedding(nn.Module):
    """
    A tick as one vector: the sum over streams of the kind of the value and of its thing, in the place of the stream;
    and over every two streams, of whether they are about the same thing or about different ones.

    A thing is multiplied by a vector of its stream, or the sum could not tell who waits for what. There are far fewer
    values than ticks, so they are counted and the counts multiplied by one table: to look each up, and to add up the
    gradients of all, took as long as a GRU.
    """

    def __init__(self, config: StreamPolicyConfig):
        super().__init__()
        self.kinds = nn.Embedding(config.num_kinds, config.hidden_size, padding_idx=PAD)
        self.things = nn.Embedding(config.num_things, config.hidden_size, padding_idx=PAD)
        self.streams = nn.Embedding(len(config.streams), config.hidden_size)
        relations = len(config.streams) * (len(config.streams) - 1)
        self.relations = nn.Linear(relations, config.hidden_size) if config.relations and relations else None

    def forward(self, kinds: torch.LongTensor, things: torch.LongTensor) -> torch.Tensor:
        num_kinds, num_things = self.kinds.num_embeddings, self.things.num_embeddings
        streams = torch.arange(kinds.shape[2], device=kinds.device)
        places = torch.cat([kinds, num_kinds + streams * num_things + things], -1)
        held = torch.cat([kinds, things], -1).ne(PAD).to(self.kinds.weight.dtype)
        seen = held.new_zeros(*kinds.shape[:2], num_kinds + len(streams) * num_things).scatter_add(2, places, held)
        table = torch.cat([self.kinds.weight, (self.streams.weight[:, None] * self.things.weight).flatten(0, 1)])
        if self.relations is None:
            return seen @ table
        one, two = things[:, :, pairs_of(things.shape[2], things.device)].unbind(2)
        known = (one > UNKNOWN) & (two > UNKNOWN)
        related = torch.cat([known & (one == two), known & (one != two)], -1)
        seen, table = torch.cat([seen, related.to(seen.dtype)], -1), torch.cat([table, self.relations.weight.T])
        return seen @ table + self.relations.bias


class GRUReader(nn.Module):
    """Reads ticks in their order and keeps what it knows at the last one."""

    def __init__(self, config: StreamPolicyConfig):
        super().__init__()
        self.embedding = TickEmbedding(config)
        self.gru = nn.GRU(config.hidden_size, config.hidden_size, config.num_hidden_layers, batch_first=True)

    def forward(self, kinds, things, attention_mask) -> torch.Tensor:
        hidden = self.gru(self.embedding(kinds, things))[0]
        return hidden[torch.arange(len(hidden), device=hidden.device), last_ticks(attention_mask)]


class Block(nn.Module):
    """Attention and a feed-forward layer, each behind a norm and beside a residual."""

    def __init__(self, config: StreamPolicyConfig):
        super().__init__()
        size = config.hidden_size
        self.heads = config.num_attention_heads
        self.attention_norm = nn.LayerNorm(size)
        self.query = nn.Linear(size, size)
        self.key_value = nn.Linear(size, 2 * size)
        self.output = nn.Linear(size, size)
        self.feed_forward_norm = nn.LayerNorm(size)
        self.up = nn.Linear(size, 4 * size)
        self.down = nn.Linear(4 * size, size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: torch.Tensor, bias: torch.Tensor, asks: torch.Tensor) -> torch.Tensor:
        """
        What the ticks that ask `(batch, asking, size)` become by attending to all `(batch, ticks, size)`, with a bias
        `(batch, heads, asking, ticks)`.
        """

        def split(values: torch.Tensor) -> torch.Tensor:
            return values.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        query = self.query(self.attention_norm(asks))
        key, value = self.key_value(self.attention_norm(hidden)).chunk(2, -1)
        heard = F.scaled_dot_product_attention(split(query), split(key), split(value), bias)
        asks = asks + self.dropout(self.output(heard.transpose(1, 2).flatten(2)))
        return asks + self.dropout(self.down(F.gelu(self.up(self.feed_forward_norm(asks)))))


class TransformerReader(nn.Module):
    """
    Attends over all ticks; how long ago a tick was is told by sinusoids, so there is no longest timeline. Each head
    looks a different way back (as in ALiBi): what holds now was said lately.
    """

    def __init__(self, config: StreamPolicyConfig):
        super().__init__()
        self.embedding = TickEmbedding(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size)

    def forward(self, kinds, things, attention_mask) -> torch.Tensor:
        hidden = self.embedding(kinds, things)
        last = last_ticks(attention_mask)
        ago = last[:, None] - torch.arange(hidden.shape[1], device=last.device)
        half = hidden.shape[2] // 2
        rates = torch.exp(-torch.arange(half, device=last.device) / half * 5)
        angles = ago[:, :, None] * rates
        hidden = hidden + F.pad(torch.cat([angles.sin(), angles.cos()], -1), (0, hidden.shape[2] % 2))
        ticks = torch.arange(hidden.shape[1], device=last.device)
        slopes = 4.0 ** -torch.arange(self.blocks[0].heads, device=last.device)
        near = -slopes[:, None, None] * (ticks[:, None] - ticks).abs()
        bias = torch.where(attention_mask.bool()[:, None, None], near, torch.finfo(hidden.dtype).min).to(hidden.dtype)
        for block in self.blocks[:-1]:
            hidden = block(hidden, bias, hidden)
        # Only the last tick is read, so only it has to ask in the last block.
        rows = torch.arange(len(hidden), device=hidden.device)
        asks = hidden[rows, last][:, None]
        return self.norm(self.blocks[-1](hidden, bias[rows, :, last][:, :, None], asks)).squeeze(1)


class Smoother(nn.Module):
    """
    For each stream, how far each tick is to be believed about what the stream holds at the end. A value that stood for
    one tick may be noise; one that its neighbours agree with is not. Only agreement, age and kind are seen.
    """

    AGES, REACH = 8, 4

    def __init__(self, config: StreamPolicyConfig, size: int = 16):
        super().__init__()
        self.ages = nn.Embedding(self.AGES, size)
        self.kinds = nn.Embedding(config.num_kinds, size, padding_idx=PAD)
        self.agreement = nn.Linear(2 * self.REACH, size)
        self.score = nn.Linear(size, 1)

    def forward(self, kinds, things, attention_mask) -> torch.Tensor:
        """Weights `(batch, ticks, streams)` that sum to 1 over ticks."""
        ticks = kinds.shape[1]
        ago = last_ticks(attention_mask)[:, None] - torch.arange(ticks, device=kinds.device)
        values = torch.stack([kinds, things], -1)
        padded = F.pad(values, (0, 0, 0, 0, self.REACH, self.REACH), value=-1)
        agree = [
            (padded[:, shift : shift + ticks] == values).all(-1)
            for shift in range(2 * self.REACH + 1)
            if shift != self.REACH
        ]
        seen = self.agreement(torch.stack(agree, -1).to(self.score.weight.dtype)) + self.kinds(kinds)
        seen = seen + self.ages(ago.clamp(0, self.AGES - 1))[:, :, None]
        scores = self.score(F.gelu(seen)).squeeze(-1) - ago[:, :, None]
        return scores.masked_fill(attention_mask.eq(0)[:, :, None], torch.finfo(scores.dtype).min).softmax(1)


class RelationalReader(nn.Module):
    """
    What kind each stream holds by now, and for every two streams whether they are about the same thing. Things enter
    only through whether they are equal, so what is learned of the oven holds for the parcel.
    """

    # What was longer ago than this many ticks says nothing about what holds now.
    TICKS = 12

    def __init__(self, config: StreamPolicyConfig):
        super().__init__()
        size, streams = config.hidden_size, len(config.streams)
        self.num_things = config.num_things
        self.smoother = Smoother(config)
        self.kinds = nn.Embedding(config.num_kinds, size, padding_idx=PAD)
        self.relations = nn.Linear(streams * (streams - 1), size)
        self.layers = nn.ModuleList(nn.Linear(size, size) for _ in range(config.num_hidden_layers))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, kinds, things, attention_mask) -> torch.Tensor:
        last = last_ticks(attention_mask)
        ticks = last[:, None] - torch.arange(self.TICKS - 1, -1, -1, device=last.device)
        attention_mask, ticks = ticks >= 0, ticks.clamp(0)
        rows = torch.arange(len(ticks), device=last.device)[:, None]
        kinds, things = kinds[rows, ticks], things[rows, ticks]
        weights = self.smoother(kinds, things, attention_mask)
        # What is held now by any stream, and by each of them, as sums of weights.
        held = weights.new_zeros(len(kinds), self.kinds.num_embeddings)
        held = held.scatter_add(1, kinds.flatten(1), weights.flatten(1))
        now = held[:, PAD + 1 :] @ self.kinds.weight[PAD + 1 :]
        # [batch, streams, things]: how surely each stream is about each thing; nothing and unknown equal nothing.
        about = weights.new_zeros(len(things), things.shape[2], self.num_things)
        about = about.scatter_add(2, things.transpose(1, 2), weights.transpose(1, 2))[..., UNKNOWN + 1 :]
        one, two = pairs_of(about.shape[1], about.device)
        same = (about[:, one] * about[:, two]).sum(-1)
        other = about[:, one].sum(-1) * about[:, two].sum(-1) - same
        hidden = now + self.relations(torch.cat([same, other], -1))
        for layer in self.layers:
            hidden = hidden + self.dropout(F.gelu(layer(hidden)))
        return hidden


READERS: dict[str, type[nn.Module]] = {
    "gru": GRUReader,
    "transformer": TransformerReader,
    "relational": RelationalReader,
}


class StreamPolicyForSequenceClassification(PreTrainedModel):
    """
    A reader and a linear head over actions. What it is fed by name, [`encode_examples`] of the package encodes with
    the vocabularies in its configuration.
    """

    config_class = StreamPolicyConfig
    config: StreamPolicyConfig
    main_input_name = "kinds"

    def __init__(self, config: StreamPolicyConfig):
        super().__init__(config)
        self.reader = READERS[config.architecture](config)
        self.head = nn.Linear(config.hidden_size, len(config.actions))
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            init.normal_(module.weight, std=module.in_features**-0.5)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=0.5)
            # A slice has lost the mark of a weight that was loaded.
            if module.padding_idx is not None and not getattr(module.weight, "_is_hf_initialized", False):
                init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, nn.GRU):
            for parameter in module.parameters():
                init.uniform_(parameter, -(module.hidden_size**-0.5), module.hidden_size**-0.5)

    def vary(self, kinds: torch.LongTensor, things: torch.LongTensor) -> tuple[torch.LongTensor, torch.LongTensor]:
        """Training examples as they might as well have been: other things, and streams that nothing is known of."""
        if self.config.permute_things and self.config.things:
            names = torch.rand(len(things), self.config.num_things, device=things.device)
            names[:, : UNKNOWN + 1] = torch.arange(-2.0, 0.0, device=things.device)
            things = names.argsort(1).gather(1, things.flatten(1)).view_as(things)
        if self.config.stream_dropout:
            kept = torch.rand(len(kinds), 1, kinds.shape[2], device=kinds.device) >= self.config.stream_dropout
            kinds = torch.where(kept | kinds.eq(PAD), kinds, UNKNOWN)
            things = torch.where(kept, things, PAD)
        return kinds, things

    def forward(
        self,
        kinds: torch.LongTensor,
        things: torch.LongTensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.LongTensor | None = None,
        **kwargs,
    ) -> SequenceClassifierOutput:
        """
        Args:
            kinds (`torch.LongTensor` of shape `(batch, ticks, streams)`): Kind ids, as in the configuration.
            things (`torch.LongTensor` of the same shape): Thing ids.
            attention_mask (`torch.Tensor` of shape `(batch, ticks)`, *optional*): Non-zero where there is a tick; all
                of them where it is not given.
            labels (`torch.LongTensor` of shape `(batch,)`, *optional*): Index of the right action.

        Returns:
            `loss` where labels are given, and `logits` `(batch, actions)`.

        Raises:
            ValueError: `kinds` and `things` do not have these shapes.
        """
        if kinds.ndim != 3 or kinds.shape != things.shape or kinds.shape[2] != len(self.config.streams):
            raise ValueError(
                f"`kinds` and `things` must both be (batch, ticks, {len(self.config.streams)} streams), "
                f"got {tuple(kinds.shape)} and {tuple(things.shape)}."
            )
        if attention_mask is None:
            attention_mask = torch.ones(kinds.shape[:2], dtype=torch.long, device=kinds.device)
        if self.training:
            kinds, things = self.vary(kinds, things)
        logits = self.head(self.reader(kinds, things, attention_mask))
        loss = None if labels is None else F.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


StreamPolicyForSequenceClassification.register_for_auto_class("AutoModelForSequenceClassification")

__all__ = ["StreamPolicyForSequenceClassification"]
