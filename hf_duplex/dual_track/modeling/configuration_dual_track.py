"""Configuration of dual-track reflection: a frozen language model with a second, mutable track of thoughts."""

from dataclasses import field

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig


THOUGHT_TYPES = ("NEW", "RECALL", "UPDATE", "CONFLICT")
MEMORY_OPERATIONS = ("PUSH", "POP", "UPDATE")
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")


@strict
class DualTrackConfig(PreTrainedConfig):
    r"""
    Configuration of [`DualTrackForCausalLM`].

    Args:
        base_model (`str`, *optional*):
            Folder or name of the frozen language model of the Llama family. Its weights are never stored with an
            adapter; they are read from here.
        backbone (`dict`, *optional*):
            The base model's own configuration, as a dictionary.
        lora_rank (`int`, *optional*, defaults to 8):
            Rank of what the thought track adds to the projections of attention.
        lora_alpha (`float`, *optional*, defaults to 16.0):
            Scale of the same, divided by the rank.
        seed_rank (`int`, *optional*, defaults to 64):
            Rank of the projection by which the content's last hidden state colours the first token of a thought.
        head_tier (`int`, *optional*, defaults to 1):
            The activation head: 1 reads one hidden state (an MLP), 2 attends to the last `head_window` of them.
        head_window (`int`, *optional*, defaults to 128):
            Hidden states that a head of tier 2 sees.
        layer_mix (`int`, *optional*, defaults to 0):
            The head reads a learned mix of so many of the last layers instead of the last one (as ELMo does).
        threshold (`float`, *optional*, defaults to 0.5):
            Above this probability the model pauses and reflects. It may be changed without training.
        boundary_ids (`list[int]`, *optional*):
            Tokens after which the head is asked: ends of sentences, of lines, of turns.
        boundary_every (`int`, *optional*, defaults to 64):
            Ask also after so many tokens without one.
        window (`int`, *optional*, defaults to 256):
            Content tokens that are always attended to once a thought chose what else is.
        sinks (`int`, *optional*, defaults to 4):
            First content tokens, which are always attended to ("attention sinks", arXiv 2309.17453).
        linked_thoughts (`int`, *optional*, defaults to 4):
            Past thoughts whose content is attended to again after a reflection.
        max_range (`int`, *optional*, defaults to 64):
            The last so many tokens of a thought's content are opened.
        recall_near (`bool`, *optional*, defaults to `True`):
            What a thought opened is read as if it had been said just before the sentence that called for it: its keys,
            kept before rotation, are rotated to positions there, and what is out of sight takes no positions.
        page_size (`int`, *optional*, defaults to 32):
            Content tokens that leave for the processor's memory, and come back, together.
        max_nodes (`int`, *optional*, defaults to 256):
            Thoughts that the buffer holds.
        thought_window (`int`, *optional*, defaults to 0):
            A thought attends to the last so many thoughts, 0 for all of them; it can be connected with any.
        max_summary (`int`, *optional*, defaults to 32):
            Tokens of a summary at most.
        latent_tokens (`int`, *optional*, defaults to 0):
            Learned query tokens in place of the summary (stage B); 0 is text.
        latent_lora (`bool`, *optional*, defaults to `False`):
            In stage B, train the thought track's low-rank additions too.
        connection_size (`int`, *optional*, defaults to 128):
            Width in which thoughts are compared with one another.
        activation_weight (`float`, *optional*, defaults to 1.0):
            Weight of the activation head's loss beside that of the thoughts.
        contrastive_weight (`float`, *optional*, defaults to 0.0):
            Weight of the contrastive loss between thoughts and their content, for when cross-attention collapses.
        sparsity_weight (`float`, *optional*, defaults to 0.01):
            Weight of the L1 norm of the connections.
        link_weight (`float`, *optional*, defaults to 1.0):
            Weight of the links that an oracle stated, beside those that full attention shows.
        codebook_size (`int`, *optional*, defaults to 0):
            Codes of each of `codebook_parts` (stage C); 0 leaves thoughts continuous.
        codebook_parts (`int`, *optional*, defaults to 4):
            Codes by which one thought is composed.
    """

    model_type = "dual_track"

    base_model: str | None = None
    backbone: dict = field(default_factory=dict)
    lora_rank: int = 8
    lora_alpha: float = 16.0
    seed_rank: int = 64
    head_tier: int = 1
    head_window: int = 128
    layer_mix: int = 0
    threshold: float = 0.5
    boundary_ids: list = field(default_factory=list)
    boundary_every: int = 64
    window: int = 256
    sinks: int = 4
    linked_thoughts: int = 4
    max_range: int = 64
    recall_near: bool = True
    page_size: int = 32
    max_nodes: int = 256
    thought_window: int = 0
    max_summary: int = 32
    latent_tokens: int = 0
    latent_lora: bool = False
    connection_size: int = 128
    activation_weight: float = 1.0
    contrastive_weight: float = 0.0
    sparsity_weight: float = 0.01
    link_weight: float = 1.0
    codebook_size: int = 0
    codebook_parts: int = 4

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        if self.backbone and self.backbone.get("model_type") != "llama":
            raise ValueError(
                f"`backbone`: a model of type {self.backbone.get('model_type')!r} cannot carry a thought track; take "
                "one of the Llama family."
            )
        for name in ("lora_rank", "boundary_every", "window", "page_size", "max_nodes", "max_summary", "max_range"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, not {getattr(self, name)}.")
        if self.thought_window < 0:
            raise ValueError(f"`thought_window` must be 0 (all thoughts) or more, not {self.thought_window}.")
        if self.head_tier not in (1, 2):
            raise ValueError(f"`head_tier` must be 1 (MLP) or 2 (sliding-window attention), not {self.head_tier}.")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"`threshold` is a probability, not {self.threshold}.")
        self.hidden_size = self.backbone.get("hidden_size", 0)
        self.num_hidden_layers = self.backbone.get("num_hidden_layers", 0)
        self.vocab_size = self.backbone.get("vocab_size", 0)

    # Ids of the thought track's own tokens follow those of the base; the content track never sees them.
    @property
    def start_id(self) -> int:
        """The token that opens a thought."""
        return self.vocab_size

    @property
    def end_id(self) -> int:
        """The token that closes a thought."""
        return self.vocab_size + 1

    @property
    def separator_id(self) -> int:
        """The token between type and summary."""
        return self.vocab_size + 2

    @property
    def type_ids(self) -> list[int]:
        """The tokens of `THOUGHT_TYPES`."""
        return [self.vocab_size + 3 + index for index in range(len(THOUGHT_TYPES))]

    @property
    def latent_ids(self) -> list[int]:
        """The query tokens of stage B."""
        first = self.vocab_size + 3 + len(THOUGHT_TYPES)
        return list(range(first, first + self.latent_tokens))

    @property
    def control_tokens(self) -> int:
        """Tokens that the thought track has beside those of the base."""
        return 3 + len(THOUGHT_TYPES) + self.latent_tokens


DualTrackConfig.register_for_auto_class()
