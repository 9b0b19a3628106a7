"""The pause-and-reflect runtime (dual_track_reflection.md, 5), as a mode of the stock `generate()`.

    cache = DualTrackCache(model.config)
    text = model.generate(ids, past_key_values=cache, thought_streamer=lambda row, ids, node: ...)
    cache.buffers[0].nodes        # what it remembers; delete_thought and edit_thought change it

At a boundary of the content (the prompt's or what is being said) the activation head is asked; where it fires, the row
reflects until the end of a thought, the thought is connected with earlier ones, and what the content attends to from
then on is the window, the sinks, and what these thoughts are about.
"""

from typing import Any

import torch
from transformers.modeling_outputs import CausalLMOutputWithPast

from .configuration_dual_track import MEMORY_OPERATIONS, THOUGHT_TYPES
from .dual_track_cache import DualTrackCache
from .memory_prediction import gumbel_top_k
from .thought_buffer import ThoughtError, ThoughtNode
from .thought_grammar import ThoughtGrammarLogitsProcessor
from .tracks import Content


CHUNK = 128
"""Content tokens of a prompt that are read before the head is asked about their boundaries."""


class ReflectionMixin:
    """Generation on two tracks."""

    _supported_generation_modes = ["greedy_search", "sample"]
    _forbidden: torch.Tensor | None = None
    # Of the model that this is mixed into.
    config: Any
    device: Any
    backbone: Any
    memory: Any
    activation_head: Any
    control_embeddings: Any
    utter: Any
    thought_logits: Any

    def forbid(self, ids: list[int]) -> None:
        """Tokens of the base that no summary may hold; see [`forbidden_ids_of`]."""
        self._forbidden = torch.tensor(sorted(ids), dtype=torch.long)

    def _prepare_cache_for_generation(self, generation_config, model_kwargs, *args, **kwargs):
        if generation_config.use_cache is False:
            raise ValueError("`use_cache=False` is not possible here: thoughts live in the cache.")
        if model_kwargs.get("past_key_values") is None:
            model_kwargs["past_key_values"] = DualTrackCache(self.config)
        if not isinstance(model_kwargs["past_key_values"], DualTrackCache):
            raise ValueError("`past_key_values`: generation on two tracks needs a `DualTrackCache`.")
        return None

    def prepare_inputs_for_generation(
        self,
        input_ids,
        past_key_values=None,
        attention_mask=None,
        reflect=True,
        thought_streamer=None,
        **kwargs,
    ):
        """Called by the decoding loop before each step: hands on what the content track has not read yet."""
        if reflect not in (True, False, "prompt"):
            raise ValueError(
                f'`reflect` must be True, False or "prompt" (not on what it says itself), not {reflect!r}.'
            )
        cache = past_key_values
        new_ids = input_ids[:, cache.length - cache.noted :]
        if not new_ids.shape[1]:
            raise ValueError("`input_ids` hold nothing that the cache has not read; add what was said since.")
        cache.reflect = new_ids.shape[1] > 1 if reflect == "prompt" else reflect
        cache.streamer = thought_streamer
        mask = None if attention_mask is None else attention_mask[:, -new_ids.shape[1] :]
        return {"input_ids": new_ids, "attention_mask": mask, "past_key_values": cache}

    @torch.no_grad()
    def step(self, input_ids: torch.Tensor, cache: DualTrackCache, attention_mask: torch.Tensor | None = None) -> Any:
        """Reads content `[batch, tokens]` under the mask that the last thoughts chose, reflects, and says what comes
        next."""
        if cache.real is None:
            cache.start(input_ids.shape[0], input_ids.device)
        real = torch.ones_like(input_ids) if attention_mask is None else attention_mask[:, -input_ids.shape[1] :]
        real, size = real.bool(), CHUNK if cache.reflect else input_ids.shape[1]
        reflected = False
        for begin in range(0, input_ids.shape[1], size):
            ids, there = input_ids[:, begin : begin + size], real[:, begin : begin + size]
            hidden, read = self._read(ids, there, cache)
            reflected = self._ask(ids, there, hidden, read, cache)
            if reflected:
                cache.settle()
        if reflected:
            # What comes next is said under the mask that the thought chose, so the last token is read again.
            cache.take_back()
            hidden, _ = self._read(input_ids[:, -1:], real[:, -1:], cache)
        cache.settle()
        return CausalLMOutputWithPast(logits=self.backbone.lm_head(hidden[:, -1:]), past_key_values=cache)

    def _read(self, ids, real, cache):
        mask = cache.take(real)
        positions = (cache.real.cumsum(1) - 1).clamp_min(0)
        if cache.positions is not None:
            positions = cache.positions
            cosine, sine = self.backbone.model.rotary_emb(self.control_embeddings.weight, position_ids=positions)
            dtype = self.backbone.dtype
            cache.rotate((cosine.unsqueeze(1).to(dtype), sine.unsqueeze(1).to(dtype)))
        hidden, read, _ = self.utter(ids, mask, positions[:, -ids.shape[1] :], cache)
        cache.rotate(None)
        return hidden, read

    def _ask(self, ids, real, hidden, read, cache) -> bool:
        """Asks the head at the boundaries of what was just read, and reflects where it says so, in order."""
        config = self.config
        boundary, starts, read = self._bounds(ids, real, read, cache)
        if not cache.reflect or not boundary.any():
            return False
        first = cache.length - ids.shape[1]
        logits = self.activation_head(read.to(self.control_embeddings.weight.dtype))[:, -ids.shape[1] :]
        likely = logits.float().sigmoid()
        wanted = boundary & (likely > config.threshold)
        pending = [row.nonzero().squeeze(-1).tolist() for row in wanted]
        reflected = False
        while any(pending):
            rows = [row for row, columns in enumerate(pending) if columns]
            at = [pending[row].pop(0) for row in rows]
            for row, column in zip(rows, at, strict=True):
                cache.sentence[row] = starts[row, column]
            ends = [first + column + 1 for column in at]
            self._reflect(rows, ends, hidden[rows, at], likely[rows, at].tolist(), cache)
            reflected = True
        return reflected

    def _bounds(self, ids, real, read, cache):
        """
        Where what was just read has boundaries, `[batch, tokens]`, where the sentence before each begins, and the
        hidden states that the head sees. Told also while nothing is reflected on, so that later thoughts know it.
        """
        config = self.config
        boundary = torch.isin(ids, torch.tensor(config.boundary_ids, device=ids.device)) & real
        for column in range(ids.shape[1]):
            cache.unasked += real[:, column]
            boundary[:, column] |= real[:, column] & (cache.unasked >= config.boundary_every)
            cache.unasked[boundary[:, column]] = 0
        if config.head_tier == 2:
            read = read if cache.recent is None else torch.cat([cache.recent, read], dim=1)
            cache.recent = read[:, -config.head_window :]
        first = cache.length - ids.shape[1]
        starts = {}
        for row, column in boundary.nonzero().tolist():
            starts[row, column] = cache.begun[row]
            cache.begun[row] = first + column + 1
        return boundary, starts, read

    def _content_of(self, cache, rows, ends, begins):
        """What thoughts see of the content: the sinks and the window before each."""
        columns, end = cache.columns, torch.tensor(ends, device=cache.columns.device)[:, None]
        begin = torch.tensor(begins, device=columns.device)[:, None]
        padding = cache.real[rows].int().argmax(1, keepdim=True)
        visible = (columns < end) & ((columns >= end - self.config.window) | (columns < padding + self.config.sinks))
        visible = visible & cache.real[rows][:, columns]
        current = visible & (columns >= begin)
        layers = cache.layers
        return Content(
            [layer.raw[rows] for layer in layers],
            [layer.values[rows] for layer in layers],
            visible[:, None],
            current[:, None],
        )

    def _past_of(self, buffers):
        """The thoughts of some rows, padded on the left: their keys and values, and which are real."""
        states = [buffer.states(self.config.thought_window) for buffer in buffers]
        longest = max((state.shape[3] for state in states if state is not None), default=0)
        if not longest:
            return None, torch.zeros(len(buffers), 0, dtype=torch.bool, device=self.device)
        like = next(state for state in states if state is not None)
        past = like.new_zeros(*like.shape[:2], len(buffers), like.shape[2], longest, like.shape[4])
        real = torch.zeros(len(buffers), longest, dtype=torch.bool, device=like.device)
        for row, state in enumerate(states):
            if state is not None:
                past[:, :, row, :, longest - state.shape[3] :] = state
                real[row, longest - state.shape[3] :] = True
        return past, real

    def _reflect(
        self, rows: list[int], ends: list[int], seeds: torch.Tensor, likely: list[float], cache: DualTrackCache
    ) -> None:
        """
        One thought of each of these rows, about the content up to `ends`; `seeds` are the hidden states there,
        `likely` what the head said.
        """
        config, buffers = self.config, [cache.buffers[row] for row in rows]
        for buffer in buffers:
            if len(buffer) >= buffer.capacity:
                raise ThoughtError(
                    f"The buffer holds {buffer.capacity} thoughts (`max_nodes`); delete one, or let it hold more."
                )
        begins = [cache.segment[row] for row in rows]
        content = self._content_of(cache, rows, ends, begins)
        alone = torch.tensor([not buffer.current for buffer in buffers], device=seeds.device)
        if self._forbidden is None:
            raise ValueError(
                "No tokens are forbidden in summaries yet: call `model.forbid(forbidden_ids_of(tokenizer))`."
            )
        grammar = ThoughtGrammarLogitsProcessor(config, self._forbidden.to(seeds.device), alone)
        said = torch.full((len(rows), 1), config.start_id, device=seeds.device)
        track = _ThoughtTrack(self, buffers, content, *self._past_of(buffers))
        hidden = track.read(said, seeds[:, None])
        while not bool((said == config.end_id).any(-1).all()):
            scores = grammar(said, self.thought_logits(hidden[:, -1]).float())
            token = scores.argmax(-1, keepdim=True)
            if said.shape[1] == 1:
                kinds = scores[:, config.type_ids].softmax(-1).tolist()
                # What the grammar leaves no choice about is read together with the type.
                forced = [*config.latent_ids, config.end_id] if config.latent_tokens else [config.separator_id]
                token = torch.cat([token, torch.tensor([forced] * len(rows), device=token.device)], dim=1)
            said = torch.cat([said, token], dim=1)
            hidden = track.read(token)
            if cache.streamer is not None:
                for row, ids in zip(rows, said.tolist(), strict=True):
                    cache.streamer(row, ids, None)
        for index, row in enumerate(rows):
            ids = said[index].tolist()
            ids = ids[: ids.index(config.end_id) + 1]
            vector, states = track.of(index, len(ids))
            node = cache.buffers[row].push(
                THOUGHT_TYPES[ids[1] - config.type_ids[0]], ids, (begins[index], ends[index]), vector, states
            )
            node.activation, node.type_probabilities = likely[index], kinds[index]
            node.focus = max(begins[index], cache.sentence[row])
            cache.segment[row] = ends[index]
            cache.reflections += 1
            self._connect(row, node, cache)
            if cache.streamer is not None:
                cache.streamer(row, ids, node)

    def _connect(self, row: int, node: ThoughtNode, cache: DualTrackCache) -> None:
        """Links a new thought with those it is about, changes the buffer as it says, and opens their content."""
        buffer = cache.buffers[row]
        earlier = [other for other in buffer.current if other is not node]
        linked: list[ThoughtNode] = []
        if earlier and node.type != "NEW":
            dtype = self.memory.query.weight.dtype
            vectors = torch.stack([other.vector for other in earlier]).to(dtype)
            scores = self.memory(node.vector.to(dtype)[None], vectors)[0]
            linked = [
                earlier[index] for index in gumbel_top_k(scores, self.config.linked_thoughts).tolist() if index >= 0
            ]
            node.links = [other.name for other in linked]
        opened = linked
        if linked and self.config.latent_tokens:
            operation = MEMORY_OPERATIONS[int(self.memory.operation(node.vector.to(dtype)).argmax())]
            if operation == "UPDATE":
                buffer.update(linked[0].name, node)
                opened = linked[1:]
            elif operation == "POP":
                buffer.pop(linked[0].name)
                buffer.pop(node.name)
                opened = linked[1:]
        elif linked and node.type == "UPDATE":
            buffer.supersede(linked[0].name, by=node)
            opened = linked[1:]
        cache.open(
            row, [*((other.focus, other.content[1]) for other in reversed(opened)), (node.focus, node.content[1])]
        )

    def delete_thought(self, cache: DualTrackCache, name: str, row: int = 0) -> ThoughtNode:
        """
        Takes a thought away; from the next token on its content is out of sight, but for the window.

        Raises:
            ThoughtError: There is no such thought.
        """
        node = cache.buffers[row].pop(name)
        cache.opened[row] = [kept for kept in cache.opened[row] if not (kept[1] == node.content[1])]
        cache.settle()
        return node

    @torch.no_grad()
    def edit_thought(
        self, cache: DualTrackCache, name: str, note_ids: list[int], summary_ids: list[int]
    ) -> ThoughtNode:
        """
        Puts other words in place of a thought's. What is said cannot be unsaid, so the edit is said too, as a note in
        the content; the thought is about this note from now on, and it is in sight at the next token.

        Args:
            note_ids: The note, in tokens of the base.
            summary_ids: The new summary.

        Raises:
            ThoughtError: There is no such thought, or the summary is empty, too long, or holds what no summary may.
            ValueError: The conversation has more than one row.
        """
        config = self.config
        if len(cache.buffers) != 1:
            raise ValueError("`cache`: thoughts are edited in conversations of one row.")
        buffer = cache.buffers[0]
        node = buffer[name]
        if config.latent_tokens:
            raise ThoughtError(
                "Thoughts of this model are not words (`latent_tokens`); they can be deleted, not edited."
            )
        forbidden = set(self._forbidden.tolist()) if self._forbidden is not None else set()
        if not 1 <= len(summary_ids) <= config.max_summary or forbidden & set(summary_ids):
            raise ThoughtError(
                f"`summary_ids`: a summary has 1 to {config.max_summary} tokens; no #, line breaks or special ones."
            )
        ids = torch.tensor([note_ids], device=self.device)
        begin = cache.length
        hidden, _ = self._read(ids, torch.ones_like(ids, dtype=torch.bool), cache)
        cache.noted += len(note_ids)
        ends = [cache.length]
        said = torch.tensor(
            [[config.start_id, node_type_id(config, node.type), config.separator_id, *summary_ids, config.end_id]],
            device=self.device,
        )
        others = [other for other in buffer.nodes if other is not node]
        place = buffer.nodes.index(node)
        buffer.nodes = others
        try:
            track = _ThoughtTrack(
                self, [buffer], self._content_of(cache, [0], ends, [begin]), *self._past_of([buffer])
            )
            seed = torch.zeros(1, said.shape[1], hidden.shape[2], dtype=hidden.dtype, device=hidden.device)
            seed[:, 0] = hidden[:, -1]
            track.read(said, seed)
        finally:
            buffer.nodes = [*others[:place], node, *others[place:]]
        node.vector, node.states = track.of(0, said.shape[1])
        node.ids, node.content, node.focus = said[0].tolist(), (begin, ends[0]), begin
        buffer.position += said.shape[1]
        cache.open(0, [*cache.opened[0], node.content])
        cache.segment[0] = cache.length
        cache.settle()
        return node


def node_type_id(config, type: str) -> int:
    """The token of a type of thought."""
    return config.type_ids[THOUGHT_TYPES.index(type)]


class _ThoughtTrack:
    """The thought that some rows are having: reads its tokens, and keeps their keys and values."""

    def __init__(self, model, buffers, content, past, real):
        self.model, self.content, self.past, self.real = model, content, past, real
        self.earlier = real.shape[1]
        self.positions = torch.tensor([buffer.position for buffer in buffers], device=real.device)
        self.said = 0
        self.hidden: list[torch.Tensor] = []

    def read(self, ids: torch.Tensor, seed: torch.Tensor | None = None) -> torch.Tensor:
        """`[rows, tokens]` to the hidden states `[rows, tokens, hidden]`."""
        rows, tokens = ids.shape
        steps = torch.arange(self.said, self.said + tokens, device=ids.device)
        own = steps[:, None] >= torch.arange(self.said + tokens, device=ids.device)[None, :]
        mask = torch.cat([self.real[:, None].expand(-1, tokens, -1), own.expand(rows, -1, -1)], dim=-1)
        content = Content(
            self.content.keys,
            self.content.values,
            self.content.visible.expand(-1, tokens, -1),
            self.content.current.expand(-1, tokens, -1),
        )
        hidden, states, _ = self.model.think(
            ids, self.positions[:, None] + steps, content, mask, past=self.past, seed=seed
        )
        new = torch.stack([torch.stack(pair) for pair in states])
        self.past = new if self.past is None else torch.cat([self.past, new], dim=4)
        self.said += tokens
        self.hidden.append(hidden)
        return hidden

    def of(self, index: int, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The last hidden state of a row's thought, and the keys and values of its tokens."""
        hidden = torch.cat([part[index] for part in self.hidden])
        return hidden[tokens - 1], self.past[:, :, index, :, self.earlier : self.earlier + tokens].clone()


def boundary_ids_of(tokenizer) -> list[int]:
    """Tokens that end a sentence, a line or a turn: those whose text ends so, and the end of a turn."""
    found = {tokenizer.eos_token_id}
    for token, index in tokenizer.get_vocab().items():
        text = tokenizer.convert_tokens_to_string([token])
        if text.rstrip(" \"')").endswith((".", "!", "?")) or "\n" in text:
            found.add(index)
    return sorted(found)


def forbidden_ids_of(tokenizer) -> list[int]:
    """Tokens that no summary may hold: special ones, line breaks, and those with which an id could be invented."""
    found = set(tokenizer.all_special_ids)
    for token, index in tokenizer.get_vocab().items():
        text = tokenizer.convert_tokens_to_string([token])
        if "#" in text or "\n" in text or (text.startswith("<") and text.endswith(">")):
            found.add(index)
    return sorted(found)
