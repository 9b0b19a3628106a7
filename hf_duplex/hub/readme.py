"""The README's tables, drawn from the results files of the released models, and what its first example says."""

import contextlib
import io
import json
import re
import textwrap
from pathlib import Path

from ..released import WORKSPACE
from .tables import basis, fill, read_results, revision_table, speed_table


def run_example(text: str, folder: Path) -> str:
    """
    What the first Python example of a page prints, run in a folder.

    Raises:
        ValueError: The page has no example.
    """
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    if not example:
        raise ValueError("`readme` has no example in Python to run.")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(example[1], "README.md", "exec"), {})
    return printed.getvalue().strip()


def fill_readme(readme: str | Path = "README.md", cards: str | Path = "model_cards") -> None:
    """
    Draws a README anew between its marks: `example` holds what its first example prints, `revision` and `speed` the
    results that lie with the released workspace model.

    Args:
        readme (`str` or `Path`): The page.
        cards (`str` or `Path`): The folder of the released models; the example runs in the folder around it.
    """
    readme, cards = Path(readme), Path(cards)
    revision = read_results(cards / WORKSPACE / "results.json")
    speed = json.loads((cards / WORKSPACE / "speed.json").read_text())
    text = readme.read_text()
    said = textwrap.fill(run_example(text, cards.absolute().parent), 110)
    text = fill(text, "example", f"```\n{said}\n```")
    text = fill(text, "revision", f"{revision_table(revision)}\n\n{basis(revision)}\n\n`{revision['command']}`")
    readme.write_text(fill(text, "speed", f"{speed_table(speed)}\n\n`{speed['command']}`"))
