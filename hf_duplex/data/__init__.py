"""From samples to batches: tokenizer training, encoding, and one collator for each way to read incoming text."""

from .collators import ChannelCollator, LayoutCollator, SerializedCollator
from .dataset import CurriculumDataset, CurriculumSampler, Phase
from .encoding import EncodedSample, encode_conversation, encode_sample
from .own import Conversation, read_conversation, read_conversations
from .own_dataset import OwnDataset, OwnSampler, encoded_features
from .streaming import ShardDataset, ShardSampler
from .tokenizer import train_tokenizer


__all__ = [
    "ChannelCollator",
    "Conversation",
    "CurriculumDataset",
    "CurriculumSampler",
    "EncodedSample",
    "LayoutCollator",
    "OwnDataset",
    "OwnSampler",
    "Phase",
    "SerializedCollator",
    "ShardDataset",
    "ShardSampler",
    "encode_conversation",
    "encode_sample",
    "encoded_features",
    "read_conversation",
    "read_conversations",
    "train_tokenizer",
]
