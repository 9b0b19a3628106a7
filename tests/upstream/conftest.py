"""Fetches the tests that ship in transformers' source distribution, at the version installed, into `.cache/`."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import transformers


CACHE = Path(__file__).parents[2] / ".cache" / f"transformers-{transformers.__version__}"
PACKAGE = CACHE / "transformers_tests"

# What the distribution imports and does not hold.
STUBS = {
    "exporters/test_export.py": "class ExportTesterMixin:\n    pass\n",
    "generation/test_utils.py": "class GenerationTesterMixin:\n    pass\n",
}


def fetch() -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    name = f"transformers=={transformers.__version__}"
    subprocess.run([*pip, "download", "--no-deps", "--no-binary", "transformers", "--dest", CACHE, name], check=True)
    subprocess.run([*pip, "install", "--no-deps", "--target", CACHE, "parameterized==0.9.0"], check=True)
    prefix = f"transformers-{transformers.__version__}/tests/"
    with tarfile.open(CACHE / f"transformers-{transformers.__version__}.tar.gz") as archive:
        for member in archive.getmembers():
            if member.name.startswith(prefix) and member.name.endswith(".py"):
                member.name = member.name.removeprefix(prefix)
                archive.extract(member, PACKAGE, filter="data")
    for path, text in STUBS.items():
        (PACKAGE / path).parent.mkdir(exist_ok=True)
        (PACKAGE / path).write_text(text)
    (PACKAGE / "__init__.py").touch()


if not (PACKAGE / "__init__.py").exists():
    try:
        fetch()
    except subprocess.CalledProcessError as error:
        pytest.exit(f"transformers' own tests could not be fetched: {error}", returncode=1)
sys.path.insert(0, str(CACHE))
