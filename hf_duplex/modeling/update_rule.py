"""What every update rule is: `W_k = f_update(W_{k-1}, U_k)`."""

import torch
from torch import nn

from .packing import PackedMessages
from .workspace import Workspace


# The logarithm of a validity that leaves nothing: finite, since it is added up and multiplied.
LOG_ZERO = -1e4


class UpdateRule(nn.Module):
    """
    Base class of update rules. A rule says what the workspace is before any message, how one message changes it, and
    what it is at every version of a conversation, laid out so that a generator can attend to all of them at once.
    `forward` message by message and `all_versions` must agree.

    Args:
        config ([`~configuration_duplex.WorkspaceConfig`]): Its sizes.

    Attributes:
        n_slots (`int`): The most slots that a workspace has.
    """

    def __init__(self, config):
        super().__init__()
        self.n_slots: int = config.n_slots

    def initial(self, batch_size: int) -> Workspace:
        """The workspace before any message."""
        raise NotImplementedError(f"{type(self).__name__} must define `initial`.")

    def forward(
        self, workspace: Workspace, states: torch.Tensor, mask: torch.Tensor, token_ids: torch.LongTensor
    ) -> Workspace:
        """
        Folds one message into the workspace. A row whose message is masked out keeps its slots and its version.

        Args:
            workspace (`Workspace`): The version before, W_{k-1}.
            states (`torch.Tensor` of shape `(batch, length, hidden_size)`): The encoded message U_k.
            mask (`torch.BoolTensor` of shape `(batch, length)`): Which tokens are there.
            token_ids (`torch.LongTensor` of shape `(batch, length)`): The message itself.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `forward`.")

    def all_versions(self, states: torch.Tensor, messages: PackedMessages) -> tuple[torch.Tensor, torch.Tensor]:
        """
        The workspace at every version.

        Args:
            states (`torch.Tensor` of shape `(batch, tokens, hidden_size)`): The encoded messages, side by side.
            messages ([`~packing.PackedMessages`]): Which message each token is of.

        Returns:
            Slots `(batch, slots, hidden_size)`, and the logarithm of their validity at each version,
            `(batch, versions, slots)`: `LOG_ZERO` where a version does not hold a slot.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `all_versions`.")

    def init_weights(self, std: float) -> None:
        """Initializes what is no linear layer, embedding or norm."""


__all__ = ["LOG_ZERO", "UpdateRule"]
