"""What the room offers by name."""

import subprocess
import sys

import pytest

import hf_duplex.runtime as session


def test_every_name_is_what_it_says():
    assert all(getattr(session, name).__name__ == name for name in session.__all__)
    assert sorted(session._PLACES) == session.__all__
    with pytest.raises(AttributeError, match="Nothing"):
        getattr(session, "Nothing")  # noqa: B009


def test_nothing_is_imported_before_it_is_needed():
    script = "import sys, hf_duplex.runtime; print('hf_duplex.runtime.server' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
