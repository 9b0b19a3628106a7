"""The Trainer, with the order of a curriculum kept."""

from torch.utils.data import Sampler
from transformers import Trainer

from ..data import CurriculumDataset, CurriculumSampler


class DuplexTrainer(Trainer):
    """
    [`~transformers.Trainer`] for the three generators. A curriculum is an order of samples, and each sample is drawn
    at random already: so a [`CurriculumDataset`] is gone through in order, samples of like length batched.
    """

    def _get_train_sampler(self, train_dataset=None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if not isinstance(dataset, CurriculumDataset):
            return super()._get_train_sampler(train_dataset)
        batch_size = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return CurriculumSampler(dataset.lengths, batch_size, seed=self.args.seed)
