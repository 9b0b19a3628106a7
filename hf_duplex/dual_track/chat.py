"""A chat on two tracks: the text, and beside it the thoughts, which can be deleted and edited."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ..bases import find_base
from .data import base_tokenizer, chat_ids
from .modeling.configuration_dual_track import DualTrackConfig
from .modeling.dual_track_cache import DualTrackCache
from .modeling.modeling_dual_track import DualTrackForCausalLM
from .modeling.thought_buffer import ThoughtError, ThoughtNode


NO_REPEAT = 6
"""A small base that says the likeliest word each time goes round in circles; no so many tokens are said twice."""
HELP = "/thoughts shows them, /delete #D1 takes one away, /edit #D1 NEW WORDS rewrites one, /quit ends."


class DualTrackChat:
    """
    One conversation.

    Args:
        model: With `forbid` called.
        tokenizer: Of the base.
        max_new_tokens: Of a reply.
        on_thought: Called with each thought as soon as it is whole.
        reflect_on_replies: Think also about what the model says itself.
    """

    def __init__(
        self,
        model: DualTrackForCausalLM,
        tokenizer: Any,
        max_new_tokens: int = 80,
        on_thought: Callable[[ThoughtNode], Any] | None = None,
        reflect_on_replies: bool = False,
    ):
        self.model, self.tokenizer, self.max_new_tokens = model, tokenizer, max_new_tokens
        self.cache = DualTrackCache(model.config)
        self.on_thought = on_thought
        self.reflect: bool | str = True if reflect_on_replies else "prompt"
        self.ids: list[int] = []

    @property
    def thoughts(self) -> list[ThoughtNode]:
        """What is in the buffer, oldest first."""
        return self.cache.buffers[0].nodes if self.cache.buffers else []

    def summary(self, node: ThoughtNode) -> str:
        """The words of a thought; of a latent one, how many query tokens it has."""
        if self.model.config.latent_tokens:
            return f"({self.model.config.latent_tokens} latent tokens)"
        return self.tokenizer.decode([token for token in node.ids if token < self.model.config.vocab_size]).strip()

    def say(self, text: str, streamer: Any = None) -> str:
        """
        A turn of the user, and the reply.

        Raises:
            ValueError: There is nothing in it.
            ThoughtError: The thought buffer is full.
        """
        import torch

        if not text.strip():
            raise ValueError("There is nothing in that; say something.")
        new, _ = chat_ids([{"speaker": "user", "text": text}], self.tokenizer, generate=True)
        ids = torch.tensor([[*self.ids, *new]], device=self.model.device)
        before = ids.shape[1]

        def thought(row: int, ids: list[int], node: ThoughtNode | None) -> None:
            if node is not None and self.on_thought is not None:
                self.on_thought(node)

        said = self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            past_key_values=self.cache,
            reflect=self.reflect,
            thought_streamer=thought,
            streamer=streamer,
            max_new_tokens=self.max_new_tokens,
            do_sample=False,
            no_repeat_ngram_size=NO_REPEAT,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        reply = said[0, before:].tolist()
        end = self.tokenizer.eos_token_id
        closed = reply if reply and reply[-1] == end else [*reply, end]
        self.ids = [*ids[0].tolist(), *closed, *self.tokenizer("\n", add_special_tokens=False)["input_ids"]]
        return self.tokenizer.decode(reply, skip_special_tokens=True).strip()

    def delete(self, name: str) -> None:
        """Takes a thought away; its content is out of sight from the next token on."""
        if not self.cache.buffers:
            raise ThoughtError(f"There is no thought {name!r} yet.")
        self.model.delete_thought(self.cache, name)

    def edit(self, name: str, words: str) -> None:
        """Other words for a thought; they hold from the next token on."""
        if not self.cache.buffers:
            raise ThoughtError(f"There is no thought {name!r} yet.")
        # What the text track has not read yet comes first, so that the note stands after it.
        self._catch_up()
        note, _ = chat_ids([{"speaker": "system", "text": f"Note: {words}"}], self.tokenizer)
        summary = self.tokenizer(" " + words, add_special_tokens=False)["input_ids"]
        self.model.edit_thought(self.cache, name, note, summary)

    def _catch_up(self) -> None:
        import torch

        unread = self.ids[self.cache.length - self.cache.noted :]
        if unread:
            self.model.step(torch.tensor([unread], device=self.model.device), self.cache)

    def line(self, node: ThoughtNode) -> str:
        """A thought in one line: its name, type, words, and what it is about."""
        about = f" -> {', '.join(node.links)}" if node.links else ""
        return f"{node.name} {node.type} | {self.summary(node)}{about}"

    def table(self) -> Table:
        """The thoughts, as they are shown beside the text."""
        table = Table("thought", "type", "says", "about", title="thoughts", title_justify="left")
        for node in self.thoughts:
            about = ", ".join(node.links) + (f" (revised by {node.superseded_by})" if node.superseded_by else "")
            table.add_row(node.name, node.type, self.summary(node), about)
        return table


def converse(chat: DualTrackChat, lines: Iterable[str], console: Console) -> None:
    """Plays lines of a user: what they say, and commands that begin with a slash."""
    from transformers import TextStreamer

    for line in lines:
        words = line.strip().split(maxsplit=2)
        if not words:
            continue
        try:
            if words[0] == "/quit":
                return
            if words[0] == "/thoughts":
                console.print(chat.table())
            elif words[0] == "/delete" and len(words) == 2:
                chat.delete(words[1])
                console.print(chat.table())
            elif words[0] == "/edit" and len(words) == 3:
                chat.edit(words[1], words[2])
                console.print(chat.table())
            elif words[0].startswith("/"):
                console.print(HELP)
            else:
                chat.on_thought = lambda node: console.print(chat.line(node), style="green", highlight=False)
                chat.say(line, streamer=TextStreamer(chat.tokenizer, skip_prompt=True, skip_special_tokens=True))
        except (ThoughtError, ValueError) as error:
            console.print(str(error), style="red")


def run_dual_track_chat(
    adapter: str, base: str | None, threads: int, max_new_tokens: int, reflect_on_replies: bool = False
) -> None:
    """
    Opens a chat on the terminal, or plays the lines of standard input.

    Raises:
        ValueError: There is no such adapter, or it was not trained to reflect.
    """
    import sys

    import torch

    from .modeling.reflection import forbidden_ids_of

    torch.set_num_threads(threads)
    if not Path(adapter, "config.json").is_file():
        raise ValueError(f"`--dual-track`: there is no adapter in {adapter}; train one as docs/dual_track.md says.")
    base = base or DualTrackConfig.from_pretrained(adapter).base_model
    folder = str(find_base(base)) if base else None
    model = DualTrackForCausalLM.from_pretrained(adapter, base=folder, dtype=torch.float32).eval()
    tokenizer = base_tokenizer(base)
    model.forbid(forbidden_ids_of(tokenizer))
    console = Console()
    console.print(HELP, style="dim")
    lines = iter(lambda: console.input("> "), None) if sys.stdin.isatty() else iter(sys.stdin)
    try:
        chat = DualTrackChat(model, tokenizer, max_new_tokens, reflect_on_replies=reflect_on_replies)
        converse(chat, lines, console)
    except EOFError:
        return
