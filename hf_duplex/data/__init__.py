"""From samples to batches: tokenizer training, encoding, and one collator for each way of hearing."""

from .collators import ChannelCollator, LayoutCollator, SerializedCollator
from .dataset import CurriculumDataset, CurriculumSampler, Phase
from .encoding import EncodedSample, encode_sample
from .streaming import ShardDataset, ShardSampler
from .tokenizer import train_tokenizer


__all__ = [
    "ChannelCollator",
    "CurriculumDataset",
    "CurriculumSampler",
    "EncodedSample",
    "LayoutCollator",
    "Phase",
    "SerializedCollator",
    "ShardDataset",
    "ShardSampler",
    "encode_sample",
    "train_tokenizer",
]
