"""`hf-duplex demo`: plays the scenes on a screen, to a file, or as JSON."""

import io
import json
import re
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.live import Live
from rich.terminal_theme import TerminalTheme

from ..evaluation.benchmarks.demo import Play, Stage, demo_facts, open_stage
from ..evaluation.benchmarks.scenes import Scene, check_names, choose_scenes, own_scene
from .demo_screen import scene_view, summary_table, verdict_line


PACE_MS = 30.0
# Pause after a correction arrives, in token times, so that viewers can notice it.
PAUSE_TOKENS = 15
NEXT = "now try: hf-duplex chat"
SVG_THEME = TerminalTheme(
    background=(22, 26, 33),
    foreground=(214, 219, 228),
    normal=[
        (22, 26, 33),
        (240, 113, 103),
        (134, 203, 112),
        (232, 190, 95),
        (100, 160, 245),
        (196, 140, 246),
        (92, 200, 214),
        (214, 219, 228),
    ],
    bright=[(112, 120, 134)] * 8,
)
# No font is downloaded.
SVG_FORMAT = re.sub(r"@font-face\s*{{.*?}}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def show_demo(
    model: str | None = None,
    baseline: str | None = None,
    scene: list[str] | None = None,
    prompt: str | None = None,
    update: list[str] | None = None,
    after: list[str] | None = None,
    pace: float | None = None,
    as_json: bool = False,
    svg: Path | None = None,
    threads: int | None = None,
    max_new_tokens: int | None = None,
    base: str | None = None,
) -> None:
    """Plays the demo; the arguments are the options of `hf-duplex demo`."""
    own = own_scenes(scene or [], prompt, update or [], after or [])
    if svg is not None and as_json:
        raise ValueError("`--svg` and `--json` cannot be given together: choose one.")
    if svg is not None and not svg.parent.is_dir():
        raise ValueError(f"`--svg`: there is no folder {str(svg.parent)!r}: create it first.")
    console, notes = Console(highlight=False), Console(stderr=True)
    with notes.status("Loading two models ...") if notes.is_terminal else notes:
        stage = open_stage(model, baseline, base, threads, max_new_tokens)
        scenes = own or choose_scenes(scene or [], everyday=not stage.from_scratch)
        stage.warm_up(scenes[0])
    if as_json:
        facts = demo_facts(stage, [stage.play(chosen) for chosen in scenes], library_versions())
        print(json.dumps(facts, indent=1))
    elif svg is not None:
        draw(stage, scenes, svg)
        notes.print(f"Wrote {svg}")
    else:
        perform(stage, scenes, console, pace)


def own_scenes(names: list[str], prompt: str | None, updates: list[str], after: list[str]) -> list[Scene]:
    """The scene of the user's own; none if no prompt is given. Options that do not fit together are refused."""
    if prompt is None:
        if updates or after:
            raise ValueError("`--prompt` is missing: `--update` and `--after` belong to a scene of your own.")
        check_names(names)
        return []
    if names:
        raise ValueError("`--scene` and `--prompt` cannot be given together: choose one.")
    return [own_scene(prompt, updates, after)]


def library_versions() -> dict[str, str]:
    return {"python": sys.version.split()[0], **{name: version(name) for name in ("torch", "transformers")}}


def closing(stage: Stage) -> str:
    """With what it was measured."""
    if stage.from_scratch:
        sizes = " and ".join(f"{model.num_parameters() / 1e6:.2f} M" for model in (stage.workspace, stage.baseline))
    else:
        added = sum(value.numel() for value in stage.workspace.additions().values())
        sizes = f"{stage.baseline.num_parameters() / 1e6:.0f} M" + (f" and {added / 1e6:.1f} M more" if added else "")
    threads = torch.get_num_threads()
    return (
        f"[dim]{sizes} parameters, one process, {threads} thread{'s' * (threads > 1)}, "
        f"medians of {1 + stage.replays}.\n"
        "What grows with the history: hf-duplex bench speed.[/]"
    )


def perform(stage: Stage, scenes: list[Scene], console: Console, pace: float | None) -> None:
    """On a screen tokens stream; elsewhere each scene is printed when it is over."""
    live = console.is_terminal and not console.is_dumb_terminal
    seconds = (PACE_MS if live else 0.0) / 1e3 if pace is None else pace / 1e3
    plays = []
    for scene in scenes:
        if live:
            with Live(console=console, auto_refresh=False, vertical_overflow="crop") as screen:
                plays.append(stage.play(scene, streaming(screen, console, seconds)))
                screen.update(scene_view(plays[-1], console.width), refresh=True)
        else:
            plays.append(stage.play(scene, lambda play: time.sleep(seconds)))
            console.print(scene_view(plays[-1], console.width, shaded=False))
    console.print(summary_table(plays))
    console.print(verdict_line(plays))
    console.print(closing(stage))
    console.print(f"[bold]{NEXT}[/]")


def streaming(screen: Live, console: Console, seconds: float) -> Callable[[Play], None]:
    """Draws a scene after every token, and waits a little: longer where a correction has just arrived."""
    seen = 0

    def watch(play: Play) -> None:
        nonlocal seen
        arrived = len(play.listening.heard) + len(play.restarts)
        screen.update(scene_view(play, console.width, done=False), refresh=True)
        time.sleep(seconds * (PAUSE_TOKENS if arrived > seen else 1))
        seen = arrived

    return watch


def draw(stage: Stage, scenes: list[Scene], path: Path, width: int = 100) -> None:
    """The demo as a picture."""
    canvas = Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    plays = [stage.play(scene) for scene in scenes]
    for play in plays:
        canvas.print(scene_view(play, width))
    canvas.print(summary_table(plays))
    canvas.print(verdict_line(plays))
    canvas.print(closing(stage))
    path.write_text(canvas.export_svg(title="hf-duplex demo", theme=SVG_THEME, code_format=SVG_FORMAT))
