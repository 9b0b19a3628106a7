"""The stream policy. This folder travels with a checkpoint: it is flat and imports with one dot."""

from transformers import AutoConfig, AutoModelForSequenceClassification

from .configuration_policy import StreamPolicyConfig
from .modeling_policy import StreamPolicyForSequenceClassification


AutoConfig.register(StreamPolicyConfig.model_type, StreamPolicyConfig)
AutoModelForSequenceClassification.register(StreamPolicyConfig, StreamPolicyForSequenceClassification)

__all__ = ["StreamPolicyConfig", "StreamPolicyForSequenceClassification"]
