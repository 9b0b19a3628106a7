"""The README's tables, drawn from the results files of the released models, and what its first example says."""

import contextlib
import io
import json
import re
import textwrap
from pathlib import Path

from ..released import WORKSPACE
from .cards import FOLDED
from .report_evidence import read_evidence
from .report_heads import against_table, conditions_beside, folded_tables
from .report_outcomes import every_outcome
from .report_targets import tally_sentence
from .tables import basis, fill, read_results, speed_table


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
    Draws a README anew between its marks: `example` holds what its first example prints, `targets` how many of them
    are reached, `revision` and `speed` the results that lie with the released workspace model.

    Args:
        readme (`str` or `Path`): The page.
        cards (`str` or `Path`): The folder of the released models; the example runs in the folder around it.
    """
    readme, cards = Path(readme), Path(cards)
    around = cards.absolute().parent
    evidence = read_evidence(cards, around / "docs" / "trials")
    speed = json.loads((cards / WORKSPACE / "speed.json").read_text())
    text = readme.read_text()
    said = textwrap.fill(run_example(text, around), 110)
    text = fill(text, "example", f"```\n{said}\n```")
    text = fill(text, "targets", textwrap.fill(tally_sentence(every_outcome(evidence)), 110))
    text = fill(text, "revision", draw_revision(cards / WORKSPACE))
    readme.write_text(fill(text, "speed", f"{speed_table(speed)}\n\n`{speed['command']}`"))


def draw_revision(folder: Path) -> str:
    """The released workspace model beside the others: revision accuracy, and folded the other metrics."""
    results = read_results(folder / "results.json")
    conditions = conditions_beside(folder, results, folder.name)
    folded = "\n\n".join(f"**{what}**\n\n{table}" for what, table in folded_tables(conditions, folder.name, FOLDED))
    return "\n\n".join(
        [
            f"{against_table(conditions, folder.name, 'revision_accuracy')}",
            basis(results),
            f"<details><summary>Contradictions, recovery, retention</summary>\n\n{folded}\n\n</details>",
            f"`{results['command']}`",
        ]
    )
