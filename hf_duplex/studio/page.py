"""
Layout and event handlers of the page. It does not depend on models.

A timer polls each conversation several times a second, and redraws it only if something has changed. Text boxes are
never redrawn, so that typing is not interrupted.
"""

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any


# No usage statistics leave the machine.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr  # noqa: E402

from ..evaluation.benchmarks.scenes import SCENES, Scene  # noqa: E402
from . import board, gauges  # noqa: E402
from .room import Room  # noqa: E402


HERE = Path(__file__).parent
CSS = (HERE / "style.css").read_text(encoding="utf-8")
TICK_SECONDS = 0.15
IDLE_SECONDS = 3_600
"""A conversation without its browser is closed after this time."""
# The browser keeps the last hundred inputs and clicks in order, and sends all of them each time. So nothing is lost or
# out of order, even if requests overtake one another (`Room.in_order`).
SEND = """
words => {
  const sent = window.hfDuplexSent ??= {first: 0, acts: []};
  sent.acts.push(ACT);
  const over = Math.max(0, sent.acts.length - 100);
  sent.first += over;
  sent.acts.splice(0, over);
  return ['', JSON.stringify(sent)];
}
"""
# A click on a line, or Enter on it, selects the block to edit.
CLICK = """
element.addEventListener('click', event => {
  const line = event.target.closest('[data-edit]');
  if (line) trigger('select', {index: line.dataset.edit, value: line.textContent});
});
"""
# A requested box may not exist yet: retry until it takes the focus, for at most 5 seconds.
FOCUS = """
() => {
  let left = 100;
  const look = () => {
    const box = document.querySelector('#BOX textarea, #BOX input');
    if (box && box.offsetParent !== null) box.focus();
    if (document.activeElement !== box && left--) setTimeout(look, 50);
  };
  setTimeout(look, 20);
}
"""

Compare = Callable[[str, str, float | None], Iterator[str]]


def theme() -> gr.Theme:
    """Uses system fonts: the page loads nothing from other servers."""
    return gr.themes.Base(
        primary_hue="blue",
        neutral_hue="slate",
        font=["system-ui", "-apple-system", "Segoe UI", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "monospace"],
    )


def trying(act: Callable[[], Any], done: str) -> str:
    """Runs an action and returns a status line; errors that a user can correct are shown there."""
    try:
        act()
    except ValueError as error:
        return board.status(str(error), is_error=True)
    return board.status(done)


def present(here: Room | None) -> Room:
    """A browser's conversation. Raises `ValueError` if it was closed."""
    if here is None or here.closed:
        raise ValueError("This conversation was closed, since nothing happened in it for an hour: reload the page.")
    return here


def build_page(
    open_room: Callable[[], Room],
    compare: Compare | None = None,
    title: str = "hf_duplex studio",
    first: Scene = SCENES["arithmetic"],
) -> gr.Blocks:
    """
    Args:
        open_room (`Callable[[], Room]`): Opens a conversation for a new browser.
        compare (`Callable`, *optional*): Plays a scene as HTML, given a prompt, a correction, and the number of tokens
            before it; without it there is no second tab.
        title (`str`, *optional*): Title of the page.
        first (`Scene`, *optional*): Initial texts of the second tab.
    """
    with gr.Blocks(title=title, fill_width=True, analytics_enabled=False) as page:
        room = gr.State(None, time_to_live=IDLE_SECONDS, delete_callback=lambda gone: gone and gone.close())
        here_now: dict[str | None, Room] = {}
        seen = gr.State(-1)
        editing = gr.State(None)
        # Outgoing and refused input, held in the browser, so that typing never waits for the server.
        outgoing, refused = (gr.Textbox(visible="hidden", elem_id=name) for name in ("outgoing", "refused"))
        gr.HTML(
            '<header class="studio-head"><h1>hf_duplex studio</h1>'
            "<p>A model that listens while it speaks. Correct yourself at any time.</p></header>",
            padding=False,
        )
        with gr.Tabs():
            with gr.Tab("Conversation"):
                shown = gr.HTML("", elem_id="board", js_on_load=CLICK, padding=False)
                with gr.Group(visible=False, elem_id="editor") as editor:
                    edited = gr.Textbox(label="Edit what was understood", lines=2, elem_id="edit-box", max_length=4096)
                    with gr.Row():
                        save = gr.Button("Save", variant="primary", elem_id="save", size="sm", scale=0, min_width=110)
                        cancel = gr.Button("Cancel", elem_id="cancel", size="sm", scale=0, min_width=110)
                with gr.Row(equal_height=True):
                    said = gr.Textbox(
                        label="Say something, or correct yourself",
                        placeholder="Revenue was 50 million.",
                        elem_id="say-box",
                        scale=5,
                        max_lines=4,
                        autofocus=True,
                    )
                    send = gr.Button("Send", variant="primary", elem_id="send", scale=0, min_width=110)
                told = gr.HTML(board.status(""), elem_id="told", padding=False)
                with gr.Row():
                    thought = gr.Button("Next thought", elem_id="next-thought", size="sm", scale=0, min_width=130)
                    topic = gr.Button("New topic", elem_id="next-topic", size="sm", scale=0, min_width=130)
                    undo = gr.Button("Undo edit", elem_id="undo", size="sm", scale=0, min_width=130)
                with gr.Accordion("Pressure", open=True):
                    pressure = gr.HTML(gauges.gauges([]), elem_id="pressure", padding=False)
                with gr.Accordion("Workspace, update by update", open=True):
                    moves = gr.HTML(board.moved([]), elem_id="moves", padding=False)
                with gr.Accordion("Versions", open=True):
                    versions = gr.HTML(board.versions([]), elem_id="versions", padding=False)
            if compare is not None:
                with gr.Tab("Against restarting"):
                    _compare_tab(compare, first)

        views = [shown, pressure, moves, versions]
        timer = gr.Timer(TICK_SECONDS)

        def draw(here: Room | None, last: int) -> tuple:
            if here is None or here.revision == last:
                return (last, *[gr.skip()] * len(views))
            view = here.view()
            drawn = board.board(view), gauges.gauges(view.meter.samples), board.moved(view.meter.heard)
            return (view.revision, *drawn, board.versions(view.versions))

        def obey(here: Room | None, sent: str) -> tuple[str, Any]:
            """Applies the input; returns refused text, to restore in the box, and a status line."""
            acts = {
                "say": (lambda words: present(here).say(words), "Heard."),
                "thought": (lambda _: present(here).next_thought(), "The next sentence is a thought of its own."),
                "topic": (lambda _: present(here).next_topic(), "Confirmed. The next sentence begins another topic."),
            }
            refused, told = "", gr.skip()
            if here is None:
                return refused, trying(lambda: present(here), "")
            for name, words in here.in_order(**json.loads(sent)):
                act, done = acts[name]
                told = trying(partial(act, words), done)
                refused = words if "error" in told and name == "say" else refused
            return refused, told

        def begin_edit(here: Room | None, event: gr.SelectData) -> tuple:
            block = str(event.index)
            try:
                context = present(here).session[block].formalized_context
            except ValueError as error:
                return None, gr.skip(), gr.skip(), board.status(str(error), is_error=True)
            return block, gr.Group(visible=True), context, board.status(f"Editing block {block}.")

        def end_edit(here: Room | None, block: str, words: str) -> tuple:
            told = trying(lambda: present(here).edit(block, words), "Changed; what follows from it is computed anew.")
            return (block, gr.skip(), told) if "error" in told else (None, gr.Group(visible=False), told)

        def take_back(here: Room | None) -> str:
            found: list[str | None] = []
            told = trying(lambda: found.append(present(here).undo()), "Taken back.")
            return told if found != [None] else board.status("There is no edit to take back.")

        def opened(request: gr.Request) -> tuple:
            here = here_now[request.session_hash] = open_room()
            return here, here.revision - 1

        def left(request: gr.Request) -> None:
            gone = here_now.pop(request.session_hash, None)
            if gone is not None:
                gone.close()

        # No input or click may be dropped because an earlier one is still being sent.
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
        page.load(opened, None, [room, seen], **quick)
        page.unload(left)
        timer.tick(draw, [room, seen], [seen, *views], **(quick | {"trigger_mode": "once"}))
        for event in (said.submit, send.click):
            # Empty the box at once, not when the answer comes: the user may already be typing the next input.
            sent = event(None, said, [said, outgoing], js=SEND.replace("ACT", "['say', words]"), **quick)
            answered = sent.then(obey, [room, outgoing], [refused, told], **quick)
            answered.then(None, [refused, said], said, js="(refused, now) => now || refused", **quick)
        for event, act in ((thought.click, "thought"), (topic.click, "topic")):
            sent = event(None, said, [refused, outgoing], js=SEND.replace("ACT", f"['{act}', '']"), **quick)
            sent.then(obey, [room, outgoing], [refused, told], **quick)
        shown.select(begin_edit, [room], [editing, editor, edited, told], **quick).then(
            None, js=FOCUS.replace("BOX", "edit-box")
        )
        for event in (edited.submit, save.click):
            event(end_edit, [room, editing, edited], [editing, editor, told], **quick).then(
                None, js=FOCUS.replace("BOX", "say-box")
            )
        cancel.click(lambda: (None, gr.Group(visible=False)), None, [editing, editor], **quick)
        undo.click(take_back, room, told, **quick)
    return page


def _compare_tab(compare: Compare, first: Scene) -> None:
    update = first.updates[0]
    prompt = gr.Textbox(first.prompt, label="Prompt", lines=2, elem_id="prompt")
    with gr.Row(equal_height=True):
        correction = gr.Textbox(update.text, label="Correction", elem_id="correction", scale=3)
        after = gr.Number(update.after, label="After so many tokens", elem_id="after", scale=1)
        run = gr.Button("Run both", variant="primary", elem_id="run", scale=0, min_width=120)
    told = gr.HTML(board.status(""), elem_id="compare-told", padding=False)
    panes = gr.HTML("", elem_id="compare", padding=False)

    def play(*typed: Any) -> Iterator[tuple[str, Any]]:
        try:
            for view in compare(*typed):
                yield board.status("Both are speaking ..."), view
        except ValueError as error:
            yield board.status(str(error), is_error=True), gr.skip()
        else:
            yield board.status("Done. Milliseconds are medians of eleven measurements."), gr.skip()

    settings: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "once", "api_visibility": "private"}
    run.click(play, [prompt, correction, after], [told, panes], **settings)
