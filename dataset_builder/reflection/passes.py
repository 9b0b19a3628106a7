"""The three passes over a corpus: annotated work is kept, and gone on with where it was."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from .agreement import Similarity, compare, word_overlap
from .oracle import Oracle, OracleError
from .schema import Annotation, AnnotationError, Dialogue, check, from_row


def annotate(
    dialogue: Dialogue,
    oracle: Oracle,
    second: Oracle | None = None,
    verify: bool = False,
    similarity: Similarity = word_overlap,
) -> tuple[Dialogue, dict[str, Any]]:
    """
    One dialogue through the passes.

    Returns: it with its annotations, and what happened: `proposed`, `agreed`, `kappa_labels`, `discarded`, `refused`.

    Raises:
        OracleError: An oracle did not answer in its format.
    """
    proposed = oracle.annotate(dialogue)
    facts: dict[str, Any] = {"proposed": len(proposed), "discarded": 0, "refused": 0}
    numbers = {id(annotation): number for number, annotation in enumerate(proposed)}
    kept = proposed
    if second is not None:
        agreement = compare(proposed, second.annotate(dialogue), similarity)
        kept, facts["labels"] = agreement.kept, agreement.labels
    facts["agreed"] = len(kept)
    placed: list[tuple[int, Annotation]] = []
    for annotation in kept:
        moved = oracle.place(dialogue, annotation)
        if moved is None:
            facts["discarded"] += 1
        elif verify and not oracle.verify(dialogue, moved):
            facts["refused"] += 1
        else:
            placed.append((numbers[id(annotation)], moved))
    placed.sort(key=lambda entry: (entry[1].turn, entry[1].end, entry[0]))
    order = {old: new for new, (old, _) in enumerate(placed)}
    final = [replace(moved, link=order.get(moved.link, -1)) for _, moved in placed]
    final = [replace(moved, link=moved.link if moved.link < number else -1) for number, moved in enumerate(final)]
    done = replace(dialogue, annotations=final)
    check(done)
    return done, facts


def read_finished(path: Path) -> dict[str, dict[str, Any]]:
    """
    The rows of a file by their keys. A last line that was cut off is dropped: its dialogue is annotated again.

    Raises:
        AnnotationError: Another line is not a dialogue with annotations.
    """
    if not path.is_file():
        return {}
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        path.write_bytes(b"".join(lines[:-1]))
        lines = lines[:-1]
    found = {}
    for number, line in enumerate(lines):
        try:
            row = json.loads(line)
            from_row(row)
        except (json.JSONDecodeError, AnnotationError) as error:
            raise AnnotationError(
                f"{path}, line {number + 1}: {error}. Mend or remove that line, and start again."
            ) from error
        found[row["key"]] = row
    return found


def annotate_all(
    dialogues: Iterable[Dialogue], path: str | Path, oracle: Oracle, second: Oracle | None = None,
    verify: bool = False, similarity: Similarity = word_overlap, patience: int = 3,
) -> dict[str, int]:  # fmt: skip
    """
    Annotates to a file of JSON lines, one by one, and goes on with a file that is there.

    Args:
        patience: Dialogues in a row on which an oracle may fail before all is given up.

    Raises:
        OracleError: It failed on so many in a row; all that was annotated is in the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    finished = read_finished(path)
    counts = {"annotated": 0, "before": len(finished), "failed": 0}
    failures = 0
    with path.open("a") as file:
        for dialogue in dialogues:
            if dialogue.key in finished:
                continue
            try:
                done, facts = annotate(dialogue, oracle, second, verify, similarity)
            except OracleError:
                counts["failed"] += 1
                failures += 1
                if failures >= patience:
                    raise
                continue
            failures = 0
            file.write(json.dumps(done.to_row() | {"passes": facts}) + "\n")
            file.flush()
            finished[dialogue.key] = {}
            counts["annotated"] += 1
    return counts
