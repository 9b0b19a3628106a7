"""What an update makes of the text that is still to come, by what of it was emitted already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from .forms import droppable
from .leads import Repairs, capital, lowered, undoubled
from .stream import Artifact, Sentence, Stream, Unit, artifact_words
from .templates import Field, Template, Token, ends, sentences, template
from .values import Money, Time
from .wordings import Answer, Choices, Scenario
from .world import Context, World


def units(answer: Answer, world: World, keep_case: bool = False) -> list[Unit]:
    """The units of an answer."""
    made: list[Unit] = []
    if answer.intro:
        made += _prose(answer.intro, "", keep_case)
    if answer.lines:
        made.append(Artifact(answer.lines, artifact_words(answer.lines, world), "\n" if answer.intro else ""))
    if answer.outro:
        made += _prose(answer.outro, "\n\n", keep_case)
    return made


def _prose(made: Template, space: str, keep_case: bool) -> list[Unit]:
    result: list[Unit] = []
    for tokens in sentences(made.tokens):
        if not keep_case and isinstance(tokens[0].pieces[0], Field):
            tokens[0] = replace(tokens[0], first="upper")
        result.append(Sentence(tokens, tokens, tokens[0].space if result else space))
    return result


_LEAD = 10**6
"""The part of words that belong to no part of a sentence."""
_LEFT_OUT = Choices(["that's left out", "we leave that out", "that's off again"])


class Repairer:
    """Applies updates to a stream."""

    def __init__(self, stream: Stream, scenario: Scenario, repairs: Repairs, rng: Random):
        self.stream, self.scenario, self.repairs, self.rng = stream, scenario, repairs, rng
        self.paraphrase = repairs.paraphrase
        self.since: dict[str, int] = {}  # the version from which on a value is to be said

    def update(self, world: World, kind: str, slots: Sequence[str]) -> None:
        """Makes another world hold. `slots`: those that the update sets."""
        stream = self.stream
        stream.at_end()  # the place is that of the next word
        before, stream.world = stream.world, world
        self.before, self.kind, self.slots = before, kind, slots
        results = [name for name in self.scenario.results if before[name] != world[name]]
        self.since |= dict.fromkeys([*slots, *results], stream.version)
        if world.style.get("short") != before.style.get("short"):
            dropped = droppable(stream)
            stream.units[:] = [unit for unit in stream.units if unit not in dropped]
            return
        if any(isinstance(unit, Artifact) for unit in stream.units):
            self._artifact()
        else:
            self._prose()

    # Artifacts

    def _artifact(self) -> None:
        stream, place = self.stream, self.stream.unit
        artifacts = [
            index for index, unit in enumerate(stream.units) if isinstance(unit, Artifact) and not unit.frozen
        ]
        index = artifacts[-1]
        unit = stream.units[index]
        assert isinstance(unit, Artifact)
        new = artifact_words(unit.lines, stream.world)
        emitted = len(unit.words) if index < place else stream.position if index == place else 0
        marker = stream.units[index - 1] if index else None
        if not isinstance(marker, Sentence) or not marker.lead:
            marker = None
        if not emitted:
            unit.words = new
            if marker and not self._lead_fits(marker):
                self._other_marker(marker, index)
            elif not any(isinstance(one, Artifact) for one in stream.units[:index]):
                self._prose()
            return
        same = [word[:2] for word in new[:emitted]] == [word[:2] for word in unit.words[:emitted]]
        same = same and (len(new) >= emitted if index == place else len(new) == emitted)
        told = any(self._differs(one) for one in stream.units[:index] if isinstance(one, Sentence))
        if same and not told and (not marker or not self._taken_back(marker)):
            unit.words = new
            return
        marker = self._marker("\n\n" if self.rng.random() < 0.6 else "\n")
        again = Artifact(unit.lines, new, "\n")
        if index == place:
            line = unit.words[emitted - 1].line
            unit.words = self._ended(unit, emitted, line)
            unit.frozen = True
            stream.units[index + 1 : index + 1] = [marker, again]
            return
        unit.frozen = True
        stream.units[place:] = [*self._head(), marker, again]
        stream.unit = place + (len(stream.units) - place > 2)
        stream.position = stream.partial = 0

    def _marker(self, space: str) -> Sentence:
        """The line above an artifact that is written again."""
        lead = [
            replace(token, aside=True) for token in template(self.repairs.draw(self.kind, "artifact", False)).tokens
        ]
        self.stream.called = self.stream.version
        return Sentence(lead, [], space, dropped=True, lead=self.kind, base=self.before)

    def _other_marker(self, marker: Sentence, index: int) -> None:
        """Puts another line above an artifact of which nothing was emitted, below what was emitted of the first."""
        stream = self.stream
        begun = stream.unit == index or (stream.unit == index - 1 and stream.position)
        if begun:
            stream.units[index:index] = [self._marker("\n")]
        else:
            stream.units[index - 1] = self._marker(marker.space)

    def _lead_fits(self, sentence: Sentence) -> bool:
        """Whether words of repair that were to come or were emitted last still fit the update."""
        kinds = [kind.replace("recorrection", "correction") for kind in (self.kind, sentence.lead)]
        return kinds[0] == kinds[1] and not self._taken_back(sentence)

    def _taken_back(self, sentence: Sentence) -> bool:
        """Whether words of repair say what is no longer so."""
        if sentence.lead == "retraction":
            return self.kind not in ("retraction", "form")
        base = sentence.base
        return base is not None and self.kind == "retraction" and base.values_now == self.stream.world.values_now

    def _head(self) -> list[Unit]:
        """What is left of the prose behind an artifact: what was emitted of it."""
        stream = self.stream
        if stream.unit >= len(stream.units) or not (stream.position or stream.partial):
            return []
        unit = stream.units[stream.unit]
        assert isinstance(unit, Sentence)
        unit.tokens, unit.dropped = unit.tokens[: stream.position], True
        return [unit]

    def _ended(self, unit: Artifact, emitted: int, line: tuple[int, Any]) -> list[Any]:
        """The words of an artifact up to the end of the line under way, with the values of now where they fit."""
        words = unit.words
        rest = [word for word in words[emitted:] if word.line == line]
        new = [word for word in artifact_words(unit.lines, self.stream.world) if word.line == line]
        if new:
            under = words[emitted - 1].token
            said = [word[:2] for word in words[:emitted] if word.line == line]
            if [word[:2] for word in new[: len(said)]] == said:
                rest = new[len(said) :]
            elif [word[:2] for word in rest if word.token > under] != [word[:2] for word in new if word.token > under]:
                rest = []  # it would not fit what was emitted of the line
        return [*words[:emitted], *rest]

    # Prose

    def _contexts(self, sentence: Sentence) -> tuple[Context, Context]:
        return self.stream.context(sentence, self.before), self.stream.context(sentence)

    def _changes(self, sentence: Sentence, tokens: Iterable[Token]) -> list[tuple[int, set[str]]]:
        """The words that are others now: their place, and the names behind that."""
        old, new = self._contexts(sentence)
        made = []
        for index, token in enumerate(tokens):
            if not token.names:
                continue
            was, now = token.write(old), token.write(new)
            if (was and was.text) == (now and now.text):
                continue
            names = {name for name in token.names if self._name_changed(name)}
            made.append((index, names or token.names))
        return made

    def _name_changed(self, name: str) -> bool:
        before, now = self.before, self.stream.world
        if before[name] != now[name]:
            return True
        other = {key for key in (*before.style, *now.style) if before.style.get(key) != now.style.get(key)}
        if "upper" in other:
            return name in (before.style.get("upper"), now.style.get("upper"))
        wanted = {"currency": Money | tuple, "clock": Time | tuple, "separator": tuple}
        return any(key not in wanted or isinstance(now[name], wanted[key]) for key in other)

    def _differs(self, sentence: Sentence) -> bool:
        return not sentence.dropped and bool(self._changes(sentence, sentence.tokens))

    def _prose(self) -> None:
        stream, place = self.stream, self.stream.unit
        done = [unit for unit in stream.units[:place] if isinstance(unit, Sentence) and not unit.dropped]
        past: dict[int, set[str]] = {}
        for index, unit in enumerate(done):
            names = {name for _, found in self._changes(unit, unit.tokens) for name in found}
            if names:
                past[index] = names
        current = stream.units[place] if place < len(stream.units) else None
        here: list[tuple[int, set[str]]] = []
        if isinstance(current, Sentence):
            emitted = stream.position + (stream.partial > 0)
            here = self._changes(current, current.tokens[:emitted])
            if not here and (self._stale_lead(current) or (self.kind == "retraction" and self._was_said(current))):
                here = [(stream.position, set())]
        cut_off = self._refresh()
        gone = {slot for slot in self.slots if stream.world[slot] is None}
        gone &= set().union(*past.values(), *(found for _, found in here))
        need = set().union(*past.values()) - self._pending() if past else set()
        need |= {name for name in cut_off if self._owed(name)}
        if self.kind == "form" and self.stream.world.style.get("caps") != self.before.style.get("caps"):
            if stream.pending_words() < 4 and done:
                self._insert([self._copy(done[-1])], set())
            return
        if need or gone:
            self._restate(need | gone, done, past)
        elif here and isinstance(current, Sentence) and not current.dropped:
            self._retrace(current, here)

    def _stale_lead(self, current: Sentence) -> bool:
        """Whether words of repair come next, or came last, that do not fit what they introduce by now."""
        tokens, at = current.tokens, self.stream.position
        if not current.lead or not any(token.aside for token in tokens[max(0, at - 1) : at + 1]):
            return False
        names = set().union(*(token.names for token in tokens[at:]))
        return self._taken_back(current) and any(self._name_changed(name) for name in names)

    def _was_said(self, current: Sentence) -> bool:
        """Whether a value that comes back was emitted in this sentence and is about to be said again."""
        stream = self.stream
        pending = set().union(*(token.names for token in current.tokens[stream.position :]))
        lead = any(token.aside for token in current.tokens[: stream.position])
        changed = {name for name in stream.world if self._name_changed(name)}
        return lead and bool(changed & pending & set(stream.shown)) and not current.inserted

    def _pending(self) -> set[str]:
        """The names that a restatement under way is still going to say."""
        made: set[str] = set()
        stream = self.stream
        for index, unit in enumerate(stream.units[stream.unit :]):
            if isinstance(unit, Sentence) and unit.inserted:
                made |= set().union(*(token.names for token in unit.tokens[stream.position if not index else 0 :]))
        return made

    def _refresh(self) -> set[str]:
        """
        Takes back restatements to come whose old value is the new one by now. If one of them is under way, it is cut
        off, and the others that follow are taken back too, as it takes new words of repair: returns their names.
        """
        stream, names = self.stream, set()
        current = stream.units[stream.unit] if stream.unit < len(stream.units) else None
        begun = bool(stream.position or stream.partial) and isinstance(current, Sentence) and self._unfit(current)
        for index in range(len(stream.units) - 1, stream.unit - (not begun), -1):
            unit = stream.units[index]
            if isinstance(unit, Sentence) and (self._unfit(unit) or (begun and unit.inserted and unit.source)):
                names |= unit.source.names if unit.source else set()
                del stream.units[index]
        if begun and isinstance(current, Sentence) and current.source:
            names |= current.source.names
            # Nothing of it is left to be said.
            current.tokens, current.plain, current.dropped = current.tokens[: stream.position], [], True
        return names if begun else set()

    def _owed(self, name: str) -> bool:
        """Whether a value that was set was not said since then."""
        stream, since = self.stream, self.since.get(name)
        if since is None or stream.world[name] is None:
            return False
        return not any(s["slot"] == name and not s["old"] and s["version"] >= since for s in stream.spans)

    def _unfit(self, unit: Sentence) -> bool:
        """Whether a sentence restates what is the old value by now."""
        return unit.inserted and unit.source is not None and not self._fits(unit.source, unit.old)

    def _fits(self, made: Template, old: Any) -> bool:
        """Whether all old values in a template are others than the new ones."""
        world = self.stream.world
        return all(name in old and old[name] != world[name] for name in made.old_names)

    def _retrace(self, current: Sentence, here: list[tuple[int, set[str]]]) -> None:
        """Says a sentence again from the part on in which the first changed value stands."""
        stream = self.stream
        stream.called = stream.version
        position, partial = stream.position, stream.partial > 0
        keep = current.plain
        pending = current.tokens[position:]
        part = min(
            [token.part for token in (*(current.tokens[index] for index, _ in here), *pending) if token.part != _LEAD]
        )
        start = next(index for index, token in enumerate(keep) if token.part == part)
        names = set().union(*(found for _, found in here))
        rest = keep[start:]
        opening = [token for token in rest if token.part == part]
        aside = self._lead(names, "", len(opening) <= 3 and bool(names & set().union(*(t.names for t in opening))))
        mark = stream.last_mark()
        far = [token for token in current.tokens[: position + partial] if part < token.part < _LEAD]
        same_part = all(current.tokens[index].part == part for index, _ in here)
        under = current.tokens[position].part if position < len(current.tokens) else part
        aside_only = same_part and len(far) and part < under < _LEAD and not mark and start and self.rng.random() < 0.5
        if aside_only:
            rest = self._insertion(keep, part, under)
        if mark in (".", "?", "!"):
            aside = capital(aside)
        if aside and rest:
            aside = undoubled(aside, rest[0])
            rest = rest[rest[0].pieces == ("and",) and len(opening) > 1 :]
        if rest and not start and (aside or mark not in (".", "?", "!")):
            rest = [replace(rest[0], first="lower"), *rest[1:]]
        if rest and rest[0].space in ("", "\n"):
            rest = [replace(rest[0], space=" "), *rest[1:]]
        head = [
            _stub() if token.part == part or (token.part > part and not aside_only) else token
            for token in current.tokens[: position + partial]
        ]  # what is said again counts no longer
        current.tokens = [*head, *aside, *rest]
        current.source, current.lead, current.base = None, self.kind, self.before
        stream.position, stream.partial = len(head), 0

    def _insertion(self, keep: list[Token], part: int, under: int) -> list[Token]:
        """The changed part between dashes, then the part under way from its start on."""
        inner = [replace(token, aside=True) for token in keep if token.part == part]
        last = inner[-1]
        if isinstance(last.pieces[-1], str):
            inner[-1] = replace(last, pieces=(*last.pieces[:-1], last.pieces[-1].rstrip(",.;:")))
        dash = Token(" ", ("--",), "", _LEAD, True)
        rest = [token for token in keep if token.part >= under]
        return [*inner, dash, replace(rest[0], space=" "), *rest[1:]]

    def _lead(self, names: set[str], place: str, may_name: bool = True) -> list[Token]:
        slots = [name for name in self.slots if name in names]
        slot = slots[0] if len(slots) == 1 and len(self.slots) == 1 else ""
        shown = self.stream.shown.get(slot)
        old = (
            may_name
            and bool(slot)
            and shown is not None
            and shown != self.stream.world[slot]
            and not isinstance(shown, tuple)
        )
        text = self.repairs.draw(self.kind, place, old)
        if self.stream.last_mark():
            text = text.removeprefix("-- ")
        old_value = {slot: shown} if old else {}
        made = []
        for token in template(text.replace("{old}", f"{{{slot}.old}}")).tokens:
            pieces = tuple(
                replace_old(piece, self.stream.world, old_value) if isinstance(piece, Field) else piece
                for piece in token.pieces
            )
            made.append(replace(token, aside=True, space=token.space or " ", pieces=pieces, part=_LEAD))
        return made

    def _restate(self, need: set[str], done: list[Sentence], past: dict[int, set[str]]) -> None:
        """Says what changed in sentences of their own, before the sentence under way begins again."""
        results = {name for name in need if name not in self.scenario.slots}
        if not results and self._worked_out(need) and self.rng.random() < 0.6:
            results = set(self.scenario.results)
        slots = [name for name in self.scenario.slots if name in need]
        old = {**self.before, **self.stream.shown}
        chosen: list[Sentence] = []
        names: set[str] = set()
        if results and (outcome := self._choose(self.scenario.outcome, old, results)):
            chosen.append(self._sentence(outcome, old))
            left_out = set(self.scenario.slots) - self._stated(outcome, old)
            names |= outcome.names - left_out
        for slot in reversed(slots):
            if self.stream.world[slot] is None:
                left = self.scenario.restate.get(f"no {slot}", _LEFT_OUT)
                if made := self._choose(left, old, set()):
                    chosen.insert(0, self._sentence(made, old))
                need = need - {slot}
                continue
            if slot in names and self.rng.random() < 0.7:
                continue
            if slot in self.scenario.restate and (made := self._choose(self.scenario.restate[slot], old, {slot})):
                if not need - names or slot not in names:
                    chosen.insert(0, self._sentence(made, old))
                    names |= made.names
        for index, found in sorted(past.items()):
            if found & (need - names):
                chosen.append(self._copy(done[index]))
                names |= set().union(*(token.names for token in done[index].plain))
        self._insert(chosen, need)

    def _worked_out(self, need: set[str]) -> bool:
        """Whether the results were said, and are the same although something changed that they come from."""
        results = set(self.scenario.results)
        said = results <= set(self.stream.shown) and not any(self._name_changed(name) for name in results)
        return said and self.kind != "form" and bool(need & self.scenario.sources(results))

    def _choose(self, choices: Choices, old: Any, wanted: set[str]) -> Template | None:
        fitting = [made for made in map(template, choices.of(self.paraphrase)) if self._fits(made, old)]
        fitting = fitting or [made for made in map(template, choices.all) if self._fits(made, old)]
        best = [made for made in fitting if wanted <= made.names] or fitting
        return self.rng.choice(best) if best else None

    def _stated(self, made: Template, old: Any) -> set[str]:
        """The names whose values a template writes now."""
        written = (token.write(Context(self.stream.world, old, {})) for token in made.tokens)
        return {span.slot for one in written if one for span in one.spans if not span.old}

    def _sentence(self, made: Template, old: Any) -> Sentence:
        tokens = list(made.tokens)
        if not ends(tokens[-1]):
            last = tokens[-1]
            tokens[-1] = replace(last, pieces=(*last.pieces, "."))
        return Sentence(tokens, tokens, " ", {name: old[name] for name in made.old_names}, True, source=made)

    def _copy(self, sentence: Sentence) -> Sentence:
        return Sentence(list(sentence.plain), sentence.plain, " ", sentence.old, True, source=sentence.source)

    def _insert(self, chosen: list[Sentence], need: set[str]) -> None:
        stream, place = self.stream, self.stream.unit
        stream.called = stream.version if chosen else stream.called
        lead = self._lead(need, "sentence")
        middle = place < len(stream.units) and bool(stream.position or stream.partial)
        under_way = middle and stream.last_mark() not in (".", "?", "!")
        closed = bool(lead) and str(lead[-1].pieces[-1]).endswith((".", "!", "" if under_way else ":"))
        joins = under_way or bool(lead) and not closed
        if (
            chosen
            and lead
            and str(chosen[0].tokens[0].pieces[0]) in ("so", "then", "now")
            and len(chosen[0].tokens) > 1
        ):
            chosen[0].tokens = chosen[0].tokens[1:]
        for index, sentence in enumerate(chosen):
            behind = index == 0 and joins
            first = "lower" if behind else "upper"
            sentence.plain = list(sentence.tokens)
            sentence.tokens = [replace(sentence.tokens[0], first=first, space=" "), *sentence.tokens[1:]]
        if chosen:
            chosen[0].lead, chosen[0].base = self.kind, self.before
        if chosen and lead:
            lead = undoubled(lead, chosen[0].tokens[0])
        if chosen and lead:
            lead = capital(lead) if not middle or stream.last_mark() in (".", "?", "!") else lead
            dash = middle and not stream.last_mark() and not str(lead[0].pieces[0]).startswith("--")
            lead = [lowered(lead[0]), *lead[1:]] if middle and stream.last_mark() in (",", ":", ";", "--") else lead
            first_lead = [Token(" ", ("--",), "", _LEAD, True), lowered(lead[0]), *lead[1:]] if dash else lead
            chosen[0].tokens = [*first_lead, *chosen[0].tokens]
        elif chosen and middle and not stream.last_mark():
            chosen[0].tokens = [Token(" ", ("--",), "", _LEAD, True), *chosen[0].tokens]
        said = set().union(*(token.names for sentence in chosen for token in sentence.tokens))
        rest: list[Unit] = []
        if middle:
            unit = stream.units[place]
            assert isinstance(unit, Sentence)
            plain = list(unit.plain)
            names = set().union(*(token.names for token in plain))
            head = unit.tokens[: stream.position]
            if stream.partial:
                head = [*head, _stub()]
            unit.tokens, unit.dropped = head, True
            if plain and not (names and names <= said):
                rest = [Sentence(plain, plain, unit.space or " ", unit.old, unit.inserted, source=unit.source)]
                rest[0].tokens = [replace(plain[0], first="upper"), *plain[1:]]  # type: ignore[union-attr]
            place += 1
            stream.units[place:place] = [*chosen, *rest]
            stream.unit, stream.position, stream.partial = place, 0, 0
        else:
            stream.units[place:place] = chosen


def replace_old(piece: Field, world: World, old: Any) -> str:
    """An old value as text: it stays what it is."""
    return "".join(text for text, _ in piece.write(Context(world, old, {})))


def _stub() -> Token:
    """Stands for a value that was cut off in the middle: it takes a place and is never written."""
    return Token(" ", ("",), "False")
