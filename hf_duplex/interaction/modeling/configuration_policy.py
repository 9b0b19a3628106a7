"""Configuration of the policies: small models that read streams and say what to do now."""

from dataclasses import field

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig


ARCHITECTURES = ("gru", "transformer", "relational")
PAD, UNKNOWN = 0, 1


@strict
class StreamPolicyConfig(PreTrainedConfig):
    r"""
    Configuration of [`StreamPolicyForSequenceClassification`]. It holds the vocabularies, so that a checkpoint is
    complete: it can be fed values by name.

    Args:
        architecture (`str`, *optional*, defaults to `"gru"`):
            `"gru"` and `"transformer"` read values tick by tick; `"relational"` reads what kind each stream holds now
            and which streams are about the same thing, never which thing that is.
        kinds (`dict[str, list[str]]`):
            For each stream the kinds of value that it may hold. Ids count through all of them from 2; 0 is padding and
            1 a value that is not known.
        streams (`list[str]`, *optional*):
            The streams, in the order of the columns of an example; by default that of `kinds`. (A saved configuration
            has its dictionaries in the order of the alphabet.)
        things (`list[str]`, *optional*):
            What values may be about. Ids count from 2; 0 is a value that is about nothing, 1 a thing not known.
        actions (`list[str]`):
            The labels, in order.
        hidden_size (`int`, *optional*, defaults to 48):
            Width of what is known of a tick (of a stream, for `"relational"`).
        num_hidden_layers (`int`, *optional*, defaults to 1):
            Layers of the GRU, blocks of the Transformer, rounds of the relational policy.
        num_attention_heads (`int`, *optional*, defaults to 4):
            Heads of each block of the Transformer.
        relations (`bool`, *optional*, defaults to `True`):
            Tell the GRU and the Transformer, beside the values of a tick, which streams are about the same thing. To
            learn that from values alone takes far more examples; the relational policy is always told.
        dropout (`float`, *optional*, defaults to 0.0):
            Share of a layer's outputs that are dropped in training.
        stream_dropout (`float`, *optional*, defaults to 0.0):
            How often, in training, a whole stream of an example becomes unknown.
        permute_things (`bool`, *optional*, defaults to `True`):
            In training, rename the things of each example at random, alike in all its streams: what counts is which
            are the same.
    """

    model_type = "duplex_policy"

    architecture: str = "gru"
    kinds: dict = field(default_factory=lambda: {"transcript": []})
    streams: list = field(default_factory=list)
    things: list = field(default_factory=list)
    actions: list = field(default_factory=lambda: ["wait"])
    hidden_size: int = 48
    num_hidden_layers: int = 1
    num_attention_heads: int = 4
    relations: bool = True
    dropout: float | int = 0.0
    stream_dropout: float | int = 0.0
    permute_things: bool = True

    def __post_init__(self, **kwargs):
        kwargs.pop("num_labels", None)
        self.streams = self.streams or list(self.kinds)
        kwargs["id2label"] = dict(enumerate(self.actions))
        kwargs["label2id"] = {action: index for index, action in enumerate(self.actions)}
        kwargs.setdefault("problem_type", "single_label_classification")
        code = {
            "AutoConfig": "configuration_policy.StreamPolicyConfig",
            "AutoModelForSequenceClassification": "modeling_policy.StreamPolicyForSequenceClassification",
        }
        kwargs.setdefault("auto_map", code)
        super().__post_init__(**kwargs)

    @property
    def kind_ids(self) -> dict[str, dict[str, int]]:
        """For each stream, the id of each kind."""
        ids = iter(range(UNKNOWN + 1, self.num_kinds))
        return {stream: {kind: next(ids) for kind in self.kinds[stream]} for stream in self.streams}

    @property
    def thing_ids(self) -> dict[str, int]:
        """The id of each thing."""
        return {thing: UNKNOWN + 1 + index for index, thing in enumerate(self.things)}

    @property
    def num_kinds(self) -> int:
        """Number of kind ids, padding and unknown included."""
        return UNKNOWN + 1 + sum(len(kinds) for kinds in self.kinds.values())

    @property
    def num_things(self) -> int:
        """Number of thing ids, nothing and unknown included."""
        return UNKNOWN + 1 + len(self.things)

    def validate_architecture(self):
        """Raises `ValueError` where settings do not fit together (part of the strict validation of configurations)."""
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"`architecture` must be one of {', '.join(ARCHITECTURES)}, got {self.architecture!r}.")
        if self.architecture == "transformer" and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"`hidden_size` ({self.hidden_size}) must be a multiple of "
                f"`num_attention_heads` ({self.num_attention_heads})."
            )
        if sorted(self.streams) != sorted(self.kinds):
            raise ValueError(f"`streams` must name what `kinds` holds, {', '.join(self.kinds)}, got {self.streams}.")
        for name in ("dropout", "stream_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 0 and below 1, got {getattr(self, name)}.")


StreamPolicyConfig.register_for_auto_class()

__all__ = ["StreamPolicyConfig"]
