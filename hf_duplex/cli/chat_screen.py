"""
`hf-duplex chat`: the model generates in one thread while the user types in another.

[`Chat`] holds the conversation, without output; [`chat_plain`] and [`Screen`] display it.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from ..runtime.checkpoints import is_from_scratch, open_model, set_threads
from ..runtime.live import AppliedUpdate, LiveText
from ..runtime.slots import beliefs


COLOURS = ("cyan", "magenta", "yellow", "green", "blue")
PACE_MS = 150.0
HELP = """\
Your first line is the prompt; every other line is an update, heard before
the next token, or if the model has finished: it goes on. For example
  {example}
/slots      what the workspace holds: each word and its validity
/undo       takes the last update and what followed back, and goes on without
/new        forgets everything; the next line is a prompt
/wait       waits until the model has finished (for scripts)
/help       this text
/quit       ends (so does the end of the input)"""
EXAMPLE = "A notebook costs $4. How much are 3 notebooks?\n  Actually I need 5 notebooks."
EXAMPLE_FROM_SCRATCH = "Given x = 5, y = 3, compute 1) 3x + 2; 2) x + y.\n  Actually x = 7."


class Chat:
    """
    A conversation that is open on both sides. Its methods are called from one thread, the user's; the model speaks in
    another, which calls `on_token` after each token.

    Args:
        model, tokenizer: One of our generators or a duplex adapter, and its tokenizer.
        on_token (`Callable[[], None]`): Called after each token, from the speaking thread.
        pace (`float`, *optional*, defaults to 0): Seconds to wait after each token.
        max_new_tokens (`int`, *optional*, defaults to 300): Longest text.
    """

    def __init__(
        self, model: Any, tokenizer: Any, on_token: Callable[[], None], pace: float = 0.0, max_new_tokens: int = 300
    ):
        self.model, self.tokenizer, self.on_token = model, tokenizer, on_token
        self.pace, self.max_new_tokens = pace, max_new_tokens
        self.text: LiveText | None = None
        self.failure: Exception | None = None
        self._speaker: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def speaking(self) -> bool:
        return self._speaker is not None

    def say(self, line: str) -> None:
        """A prompt if nothing has been said yet, else an update."""
        if self.text is None:
            self.text = LiveText(
                self.model, self.tokenizer, line, on_token=self._spoken, max_new_tokens=self.max_new_tokens
            )
        else:
            self.text.tell(line)
        self._speak()

    def wait(self) -> None:
        """Until the model has finished and heard everything."""
        speaker = self._speaker
        if speaker is not None:
            speaker.join()
        if self.failure is not None:
            failure, self.failure, self.text = self.failure, None, None
            raise failure

    def stop(self) -> None:
        """Silences the model; it can be told something and go on."""
        if self.text is not None and self.speaking:
            self.text.stop()
            self.wait()

    def new(self) -> None:
        """Forgets everything."""
        self.stop()
        self.text = None

    def undo(self) -> tuple[str | None, str]:
        """Takes the last update back and goes on without it. Returns it, None if there was none, and the text left."""
        if self.text is None:
            return None, ""
        self.stop()
        undone = self.text.undo()
        left = self.text.text
        self._speak()
        return undone, left

    @property
    def help(self) -> str:
        """What can be typed, with an example that the model can follow."""
        return HELP.format(example=EXAMPLE_FROM_SCRATCH if is_from_scratch(self.model) else EXAMPLE)

    def slots(self) -> list[str]:
        """A line for each message in the workspace, each word with its validity."""
        if self.text is None:
            return ["Nothing has been said yet."]
        memory = self.text.cache.memory
        if memory is None:
            return ["This model has no workspace." if self.text.tokens else "Nothing has been heard yet."]
        words = beliefs(memory, self.tokenizer, self.model.config.max_message_length)
        held: dict[int, list[str]] = {}
        for word, version, validity in words:
            held.setdefault(version, []).append(f"{word.strip()} {validity:.2f}")
        used = int((memory.slot_ids[0] >= 0).sum())
        head = f"v{int(memory.version[0])}, {used} of {self.model.config.n_slots} slots; words and their validity:"
        return [head, *(f"  v{version}  {'  '.join(found)}" for version, found in held.items())]

    def _spoken(self) -> None:
        self.on_token()
        time.sleep(self.pace)

    def _speak(self) -> None:
        assert self.text is not None
        with self._lock:
            if self._speaker is None:
                self.text.resume()
                self._speaker = threading.Thread(target=self._run, args=(self.text,), daemon=True)
                self._speaker.start()

    def _run(self, text: LiveText) -> None:
        try:
            while True:
                text.run()
                with self._lock:
                    # A caller that queued an update since saw a running thread, and relies on it.
                    if text.stopped or not text.waiting:
                        self._speaker = None
                        return
        except Exception as error:
            self.failure, self._speaker = error, None


def heard_line(heard: AppliedUpdate) -> str:
    """What an update did, in one line."""
    parts = [f"v{heard.version}", heard.text, f"{heard.ms:.0f} ms to the next token"]
    if heard.moves.doubted:
        words = ", ".join(f"{word.word} {word.before:.2f}→{word.after:.2f}" for word in heard.moves.doubted[:3])
        parts.append(f"doubts {words}")
    return f"[{' · '.join(parts)}]"


class Transcript:
    """The conversation in pieces `(kind, text)` as they come: what the model said, heard, and where it ended."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, str]] = []
        self._known: list[AppliedUpdate] = []

    def follow(self, text: LiveText) -> list[tuple[str, str]]:
        """Adds what the newest token brought, and returns it."""
        token = text.tokens[-1]
        heard = [entry for entry in text.heard if not any(entry is known for known in self._known)]
        new = [("heard", heard_line(entry)) for entry in heard]
        self._known = list(text.heard)
        new.append((f"v{token.version}", token.text))
        if token.id in text.words.ends:
            new.append(("end", "\n"))
        self.pieces += new
        return new


def answer(chat: Chat, line: str, scripted: bool) -> list[str] | None:
    """
    Does what a line says, and returns what there is to show; None to end. In a script, a command waits until the model
    has finished; an update never waits.
    """
    line = line.strip()
    if not line.startswith("/"):
        if line:
            chat.say(line)
        return []
    if line == "/help":
        return [chat.help]
    if scripted or line == "/wait":
        chat.wait()
    if line == "/quit":
        return None
    if line == "/wait":
        return []
    if line in ("/slots", "/workspace"):
        return chat.slots()
    if line == "/new":
        chat.new()
        return ["Say something new."]
    if line == "/undo":
        undone, left = chat.undo()
        return ["There is no update to take back."] if undone is None else [f"Taken back: {undone}", f"So far: {left}"]
    raise ValueError(f"there is no command {line.split()[0]}: /help lists them.")


def chat_plain(chat: Chat, lines: Iterable[str]) -> None:
    """Without a screen: lines come from a pipe, the text goes out as it comes."""
    said = False
    for line in lines:
        said = said or bool(line.strip())
        try:
            shown = answer(chat, line, scripted=True)
        except ValueError as error:
            print(f"Error: {error}", file=sys.stderr)
            continue
        if shown is None:
            return
        for entry in shown:
            print(entry, flush=True)
    if not said:
        raise ValueError("the input is empty: its first line is the prompt.")
    chat.wait()


def print_pieces(pieces: list[tuple[str, str]]) -> None:
    for kind, text in pieces:
        print(f"\n{text}" if kind == "heard" else text, end="\n" if kind == "heard" else "", flush=True)


class Screen:
    """
    On a screen: the input line stays open below the text. The text is the message of the input line; with each line
    that is entered it is left above, and goes on below.
    """

    def __init__(self, chat: Chat, transcript: Transcript):
        from prompt_toolkit import PromptSession

        self.chat, self.transcript = chat, transcript
        self.session: Any = PromptSession()
        self.since = self.until = 0

    def refresh(self) -> None:
        self.session.app.invalidate()

    def message(self) -> Any:
        """What was said since the last entered line, wrapped, and the prompt of the input line."""
        from prompt_toolkit.formatted_text import ANSI

        self.until = len(self.transcript.pieces)
        said = Text()
        for kind, text in self.transcript.pieces[self.since : self.until]:
            if kind == "heard":
                said.append(f"{said.plain and chr(10)}{text}\n", style="dim")
            elif kind != "end":
                said.append(text, style=COLOURS[int(kind[1:]) % len(COLOURS)])
        console = Console(width=self.session.app.output.get_size().columns - 1, highlight=False)
        with console.capture() as capture:
            console.print(said)
        above = capture.get() if said.plain.strip() else ""
        return ANSI(f"{above}{'prompt' if self.chat.text is None else 'update'} ▸ ")

    def run(self) -> None:
        while True:
            try:
                line = self.session.prompt(self.message)
                self.since = self.until
                if line.strip() in ("/undo", "/new"):
                    # Text emitted while the line was entered is dropped as well.
                    self.chat.stop()
                    self.since = len(self.transcript.pieces)
                shown = answer(self.chat, line, scripted=False)
                if self.chat.failure is not None:
                    self.chat.wait()
            except ValueError as error:
                shown = [f"Error: {error}"]
            except KeyboardInterrupt:
                self.since = self.until
                if not self.chat.speaking:
                    return
                self.chat.stop()
                shown = ["Silenced. Tell it something, and it goes on."]
            except EOFError:
                return
            if shown is None:
                return
            for entry in shown:
                print(entry)


def run_chat(
    model: str | None = None,
    pace: float | None = None,
    threads: int | None = None,
    max_new_tokens: int = 300,
    base: str | None = None,
) -> None:
    """The arguments are the options of `hf-duplex chat`."""
    opened = open_model(model, base)
    set_threads(threads, opened.model)
    on_screen = sys.stdin.isatty() and sys.stdout.isatty()
    seconds = (PACE_MS if on_screen else 0.0) / 1e3 if pace is None else pace / 1e3
    transcript = Transcript()
    chat = Chat(opened.model, opened.tokenizer, on_token=lambda: None, pace=seconds, max_new_tokens=max_new_tokens)
    try:
        if on_screen:
            chat_on_screen(chat, transcript)
        else:
            chat.on_token = lambda: print_pieces(transcript.follow(chat.text)) if chat.text else None
            chat_plain(chat, sys.stdin)
    finally:
        # A thread that still computes at exit would abort the process.
        chat.stop()


def chat_on_screen(chat: Chat, transcript: Transcript) -> None:
    """The same with a terminal on both sides."""
    screen = Screen(chat, transcript)

    def on_token() -> None:
        if chat.text is not None:
            transcript.follow(chat.text)
        screen.refresh()

    chat.on_token = on_token
    print(chat.help + "\n")
    screen.run()
