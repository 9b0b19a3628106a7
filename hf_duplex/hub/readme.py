"""The README's table, drawn from the results of the released adapter, and what its first example prints."""

import contextlib
import io
import json
import re
import textwrap
from pathlib import Path

from ..released import ADAPTER
from .adapter_card import natural_table
from .tables import fill


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
    Draws a README anew between its marks: `example` holds what its first example prints, `natural` the results on
    interruptions in natural English that lie with the released adapter.

    Args:
        readme (`str` or `Path`): The page.
        cards (`str` or `Path`): The folder of the released models; the example runs in the folder around it.
    """
    readme, cards = Path(readme), Path(cards)
    text = readme.read_text()
    printed = run_example(text, cards.absolute().parent)
    said = "\n".join(textwrap.fill(line, 110) for line in printed.splitlines())
    text = fill(text, "example", f"```\n{said}\n```")
    natural = json.loads((cards / ADAPTER / "natural.json").read_text())
    table = natural_table(natural, "SmolLM2-135M-Instruct")
    readme.write_text(fill(text, "natural", f"{table}\n\n`{natural['command']}`"))
