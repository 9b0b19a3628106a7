"""
Clocks summarize a stream of states at three timescales; coherence measures how synchronized a model's units are.

Everything here is a running statistic of vectors that the model computes anyway. It is deterministic and has no
trained parameters.
"""

import math

import torch
from torch import nn


# Radians that a phase advances for a deviation of the usual size.
PACE = 0.3
QUARTER = math.pi / 2
# Smaller deviations are rounding errors.
LEAST_SPREAD = 1e-4


class Average:
    """An exponential moving average; a plain mean over the first few values."""

    def __init__(self, decay: float):
        self.decay = decay
        self.value: float | None = None
        self.count = 0

    def step(self, value: float) -> float:
        self.count += 1
        before = value if self.value is None else self.value
        self.value = before + max(1 - self.decay, 1 / self.count) * (value - before)
        return self.value


class ClockHead:
    """
    A leaky mean of states, and its basins: directions that it visits repeatedly.

    If the cosine of the mean to every basin is below `reach`, a new basin is created while there is
    room. Otherwise the nearest basin moves towards the mean, with the clock's decay.

    Args:
        decay (`float`): Fraction of the mean kept at each step: 0.5 forgets at once, 0.99 covers about 100 tokens.
        most_basins (`int`): Maximum number of basins.
        reach (`float`): The least cosine at which a state belongs to a basin.

    Attributes:
        current_basin (`int`): Index of the current basin, in order of creation; -1 before the first state.
        proximity (`float`): How near the mean was to the nearest basin before that basin was updated, -1 to 1: 1 at
            its centre, 0 at its edge, negative outside; 0 for the first state.
        trans_prob (`float`): Probability of the transition from the last basin to this one, from the counts so far
            with add-one smoothing over `most_basins`.
        confidence (`float`): How settled the clock is, 0 to 1: rises with the clock's decay while it stays in a
            basin, up to its proximity, and starts again in another one.
    """

    def __init__(self, decay: float, most_basins: int, reach: float):
        self.decay, self.most_basins, self.reach = decay, most_basins, reach
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self.state: torch.Tensor | None = None
        self.centres: torch.Tensor | None = None
        self.counts = torch.zeros(self.most_basins, self.most_basins)
        self.current_basin = -1
        self.proximity = self.trans_prob = self.confidence = 0.0

    def step(self, state: torch.Tensor) -> None:
        """Processes the next state of the stream, `(width,)`, in any dtype and on any device."""
        direction = nn.functional.normalize(state.detach().float().cpu(), dim=0)
        if self.state is None or self.centres is None:
            self.state, self.centres, self.current_basin = direction, direction[None], 0
            return
        self.state = self.decay * self.state + (1 - self.decay) * direction
        mean = nn.functional.normalize(self.state, dim=0)
        nearness = self.centres @ mean
        nearest = int(nearness.argmax())
        self.proximity = min(1.0, max(-1.0, (float(nearness[nearest]) - self.reach) / (1 - self.reach)))
        if self.proximity < 0 and len(self.centres) < self.most_basins:
            nearest = len(self.centres)
            self.centres = torch.cat([self.centres, mean[None]])
        else:
            moved = self.decay * self.centres[nearest] + (1 - self.decay) * mean
            self.centres = self.centres.clone()
            self.centres[nearest] = nn.functional.normalize(moved, dim=0)
        self._enter(nearest)

    def _enter(self, basin: int) -> None:
        row = self.counts[self.current_basin]
        self.trans_prob = float((row[basin] + 1) / (row.sum() + self.most_basins))
        row[basin] += 1
        stayed = self.confidence if basin == self.current_basin else 0.0
        self.confidence = self.decay * stayed + (1 - self.decay) * max(0.0, self.proximity)
        self.current_basin = basin

    def score(self, candidates: torch.Tensor) -> torch.Tensor:
        """Cosine of the clock's mean to its basin if each candidate `(candidates, width)` were the next state."""
        if self.state is None or self.centres is None:
            return torch.zeros(len(candidates))
        directions = nn.functional.normalize(candidates.detach().float().cpu(), dim=1)
        means = nn.functional.normalize(self.decay * self.state + (1 - self.decay) * directions, dim=1)
        return means @ self.centres[self.current_basin]


class Coherence:
    """
    Kuramoto oscillators, one for each unit (an expert or an attention head), and their order parameter
    `R = |mean exp(i phase)|`.

    A unit with its usual load is pulled towards the mean phase. A unit with more or less load moves ahead or behind,
    in proportion to its deviation relative to the usual size of deviations. So R falls when the load is distributed
    in a new way, and recovers as that becomes usual. Only ratios of deviations count, not the size of loads.

    Args:
        decay (`float`, *optional*, defaults to 0.9): Decay of the moving averages of the load and of R.
        coupling (`float`, *optional*, defaults to 0.3): How strongly phases are pulled together, 0 to 1.

    Attributes:
        R (`float`): The order parameter, 0 to 1.
        delta_R (`float`): R minus its moving average.
    """

    def __init__(self, decay: float = 0.9, coupling: float = 0.3):
        self.decay, self.coupling = decay, coupling
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self.phases: torch.Tensor | None = None
        self.usual: torch.Tensor | None = None
        # Slower than the usual load: otherwise a lasting change would keep its full effect.
        self._spread = Average(1 - (1 - self.decay) / 10)
        self.R, self.delta_R = 1.0, 0.0
        self._usual_R = Average(self.decay)

    def step(self, load: torch.Tensor, hold: float = 1.0) -> None:
        """
        Advances all phases by one step.

        Args:
            load (`torch.Tensor` of shape `(units,)`): Load of each unit, 0 to 1.
            hold (`float`, *optional*, defaults to 1.0): Factor on the coupling, 0 to 1.
        """
        load = load.detach().float().cpu()
        if self.phases is None or self.usual is None:
            self.phases, self.usual = torch.zeros_like(load), load.clone()
        field = torch.polar(torch.ones_like(self.phases), self.phases).mean()
        strength, direction = float(field.abs()), float(field.angle())
        pull = self.coupling * hold * strength * (direction - self.phases).sin()
        deviation = load - self.usual
        size = float(deviation.abs().mean())
        spread = max(size if self._spread.value is None else self._spread.value, LEAST_SPREAD)
        # At most a quarter turn: a unit ahead and a unit behind are then at most in opposite phase.
        kick = QUARTER * (PACE / QUARTER * deviation / spread).tanh()
        self.phases = self.phases + kick + pull
        if size > 0:
            self._spread.step(size)
        self.usual = self.decay * self.usual + (1 - self.decay) * load
        self.R = min(1.0, float(torch.polar(torch.ones_like(self.phases), self.phases).mean().abs()))
        usual_R = self.R if self._usual_R.value is None else self._usual_R.value
        self.delta_R = self.R - usual_R
        self._usual_R.step(self.R)
