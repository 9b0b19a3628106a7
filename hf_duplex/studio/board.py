"""
Blocks as HTML: contexts on the left, insights on the right. Pure functions; all text of users and models is escaped
here, and nowhere else.
"""

import html
import re
from collections.abc import Sequence

from ..cognition.blocks import CognitiveBlock
from ..runtime.live import AppliedUpdate
from .room import Version, View


SENTENCE = re.compile(r"(?<=[.!?])\s+")
FLASH_SECONDS = 1.6
EMPTY = (
    '<div class="empty"><p>Say what you know, one sentence at a time. What is meant stands on the left, what follows '
    "from it on the right.</p><p>Try <q>Revenue was 50 million.</q>, then <q>Correction, fifteen million.</q></p>"
    "</div>"
)
STATES = {
    "computing": "being said",
    "stable": "follows from what is on the left",
    "stale": "does not follow any more",
    "invalidated": "overtaken by a change",
}
WORDS = 6
"""Maximum number of words listed per kind for an update; the rest are counted."""


def text(words: str) -> str:
    """Escapes text for HTML."""
    return html.escape(words, quote=True)


def insight_class(block: CognitiveBlock, landed: float | None) -> str:
    """CSS class of an insight: `ghost` while speculative, `stale`, `computing`, `stable`; `fresh` just after."""
    if block.insight_status in ("stale", "invalidated"):
        return "stale" if block.insight else "waiting"
    if block.insight_status == "computing":
        return "computing ghost" if block.is_open else "computing"
    shown = "stable ghost" if block.is_speculative else "stable"
    return f"{shown} fresh" if landed is not None and landed < FLASH_SECONDS else shown


def understanding(block: CognitiveBlock, editable: bool) -> str:
    """The left cell: the raw input, above the context, one line per sentence."""
    raw = f'<p class="raw"><span class="sr">Said: </span>{text(block.raw_input)}</p>' if block.raw_input else ""
    lines = [line for line in SENTENCE.split(block.formalized_context.strip()) if line]
    if editable:
        meant = "".join(
            f'<button type="button" class="line" data-edit="{text(block.id)}" '
            f'aria-label="Edit: {text(line)}">{text(line)}</button>'
            for line in lines
        )
    else:
        meant = "".join(f'<p class="line locked">{text(line)}</p>' for line in lines)
    lock = '<span class="tag">confirmed</span>' if block.is_locked else ""
    return f'<div class="cell understanding">{raw}<div class="meant">{meant}</div>{lock}</div>'


def advice(block: CognitiveBlock, landed: float | None) -> str:
    """The right cell: the insight, and how far it can be trusted."""
    shown = insight_class(block, landed)
    # If redrawn during the flash, the flash continues where it was.
    delay = f' style="animation-delay:-{landed:.2f}s"' if landed is not None and "fresh" in shown else ""
    said = text(block.insight or "")
    state = STATES[block.insight_status]
    if block.is_speculative and block.insight_status == "stable":
        state = "for the time being: the thought is still open"
    if block.insight is None:
        state = "listening" if block.insight_status != "computing" else state
    return (
        f'<div class="cell advice {shown}" data-status="{block.insight_status}"{delay}>'
        f'<p class="insight">{said}</p><p class="state">{state}</p></div>'
    )


def board(view: View) -> str:
    """All blocks, each a row of two cells."""
    head = '<div class="row head" aria-hidden="true"><div>Understanding</div><div>Advice</div></div>'
    if not view.blocks:
        return f'<section class="board" aria-label="Understanding and advice">{head}{EMPTY}</section>'
    rows = "".join(
        f'<article class="row" data-block="{text(block.id)}" aria-label="Block {text(block.id)}">'
        f"{understanding(block, block.id in view.editable)}{advice(block, view.landed.get(block.id))}</article>"
        for block in view.blocks
    )
    return f'<section class="board" aria-label="Understanding and advice">{head}{rows}</section>'


def words(found: Sequence[str]) -> str:
    """The first few words, and how many more there are."""
    rest = len(found) - WORDS
    return text(" ".join(found[:WORDS])) + (f" and {rest} more" if rest > 0 else "") if found else "–"


def moved(heard: Sequence[tuple[str, AppliedUpdate]]) -> str:
    """What each update changed in the workspace, the newest first."""
    if not heard:
        return '<p class="hint">An update that reaches the workspace shows here what it doubted and what it wrote.</p>'
    rows = "".join(
        f"<tr><td>v{entry.version}</td><td>{text(entry.text)}</td>"
        f"<td>{words([f'{doubt.word} {doubt.before:.2f}→{doubt.after:.2f}' for doubt in entry.moves.doubted])}</td>"
        f"<td>{words(entry.moves.written)}</td><td>{entry.ms:.0f} ms</td></tr>"
        for _, entry in reversed(heard)
    )
    head = "<tr><th>Version</th><th>Update</th><th>Doubted</th><th>Written</th><th>To next token</th></tr>"
    table = f'<table class="moves"><thead>{head}</thead><tbody>{rows}</tbody></table>'
    return f'<div class="scroll" tabindex="0" role="region" aria-label="What updates moved">{table}</div>'


def versions(found: Sequence[Version]) -> str:
    """Changes of contexts, the newest first."""
    if not found:
        return '<p class="hint">Every change of what was understood is a version, and edits can be undone.</p>'
    items = "".join(
        f'<li><span class="tag">{version.number}</span> block {text(version.block)}: '
        + (f"<del>{text(version.before)}</del> " if version.before else "")
        + (f"<ins>{text(version.after)}</ins></li>" if version.after else "taken back</li>")
        for version in reversed(found)
    )
    return f'<ol class="versions" reversed>{items}</ol>'


def status(message: str, is_error: bool = False) -> str:
    """One status line for screen readers: errors interrupt, other messages wait."""
    role = 'role="alert" class="status error"' if is_error else 'role="status" class="status"'
    return f"<p {role}>{text(message)}</p>"
