"""Nothing is downloaded, everything is seeded, and one test leaves the other core to its neighbour."""

import os


os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402


torch.set_num_threads(1)
settings.register_profile(
    "seeded",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("seeded")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
