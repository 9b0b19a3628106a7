"""Runs code in a process of its own, in which `hf_duplex` cannot be imported."""

import json
import os
import subprocess
import sys
from pathlib import Path


PRELUDE = '''
import importlib.abc, json, sys

class Absent(importlib.abc.MetaPathFinder):
    """As if the package had never been installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hf_duplex":
            raise ModuleNotFoundError("No module named 'hf_duplex'", name=name)

sys.meta_path.insert(0, Absent())
argument = json.loads(sys.argv[1])
'''


def run_apart(tmp_path: Path, code: str, argument, hub: str | None = None):
    """What `code` assigns to `result`, given `argument`; both travel as JSON."""
    script = tmp_path / "apart.py"
    script.write_text(PRELUDE + code + "\nprint(json.dumps(result))\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHON"))}
    environment |= {
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    environment |= {"HF_HUB_OFFLINE": "1"} if hub is None else {"HF_ENDPOINT": hub, "HF_TOKEN": "hf_dummy"}
    done = subprocess.run(
        [sys.executable, "-I", str(script), json.dumps(argument)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.strip().splitlines()[-1])
