"""Blocks, what depends on what, and insights that go stale, are put off, computed, invalidated and undone."""

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_duplex.cognition.blocks import BlockGraph, CognitiveBlock
from hf_duplex.cognition.session import CognitiveSession


GOOD, BAD = "This is a 10% increase.", "This is a significant drop from last year."


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class ScriptedAdvice:
    def __init__(self, advisor, contexts):
        self.advisor, self.contexts, self.told = advisor, dict(contexts), []

    def tell(self, edits):
        self.told.append(list(edits))
        for edit in edits:
            assert self.contexts.get(edit.block, "") == edit.old
            self.contexts[edit.block] = edit.new

    def run(self, on_text):
        amounts = [int(found) for found in re.findall(r"\d+", " ".join(self.contexts.values()))]
        words = (GOOD if sum(amounts) >= 30 else BAD).split()
        for number in range(1, len(words) + 1):
            said = " ".join(words[:number])
            self.advisor.said += 1
            if not on_text(said):
                return said
            self.advisor.at_word(number)
        return said


class ScriptedAdvisor:
    """Says whether things go well or badly, a word at a time."""

    def __init__(self):
        self.opened, self.said, self.at_word = [], 0, lambda number: None

    def check(self, context):
        if "unsayable" in context:
            raise ValueError("`context` is unsayable: say something else.")

    def open(self, contexts):
        self.opened.append(ScriptedAdvice(self, contexts))
        return self.opened[-1]


class Talk:
    def __init__(self, **options):
        self.clock, self.advisor, self.events = Clock(), ScriptedAdvisor(), []
        self.session = CognitiveSession(
            self.advisor, on_event=self.events.append, debounce=0.3, clock=self.clock, wall=lambda: 7.0, **options
        )

    def wait(self, seconds=0.3):
        self.clock.now += seconds
        return self.session.poll()

    def told(self, kind, block="1"):
        return [event for event in self.events if event.kind == kind and event.block.id == block]

    def statuses(self, block="1"):
        return [event.block.insight_status for event in self.told("status", block)]

    def two(self):
        """Two blocks, the second depends on the first, both stable and closed."""
        for text in ("Revenue was 50 million.", "Cost was 20 million."):
            self.session.ingest(text)
            self.session.close()
        assert self.wait() == 2
        self.events.clear()
        return self


@pytest.fixture
def talk():
    return Talk()


def test_the_revenue_is_corrected_from_the_first_word_to_the_changed_advice(talk):
    session = talk.session
    session.ingest("Revenue was,")
    assert session["1"].timestamp == 7.0 and session["1"].is_open and session["1"].insight is None
    session.ingest("um, fifty million.")
    assert session["1"].raw_input == "Revenue was, um, fifty million."
    assert session["1"].formalized_context == "Revenue was 50 million."
    assert talk.wait(0.2) == 0 and talk.advisor.said == 0
    assert talk.wait(0.1) == 1
    assert session["1"].insight == GOOD and session["1"].insight_status == "stable" and session["1"].is_speculative
    session.close()
    assert not session["1"].is_speculative

    session.ingest("Correction, fifteen million.")
    block = session["1"]
    assert len(session.blocks) == 1 and block.formalized_context == "Revenue was 15 million."
    assert block.insight_status == "stale" and block.insight == GOOD
    assert talk.wait() == 1
    assert session["1"].insight == BAD and session["1"].insight_status == "stable"
    assert talk.statuses() == ["computing", "stable", "stale", "computing", "stable"]
    [edit] = talk.advisor.opened[0].told[0]
    assert len(talk.advisor.opened) == 1 and (edit.old, edit.new) == (
        "Revenue was 50 million.",
        "Revenue was 15 million.",
    )


def test_the_page_sees_each_change_in_order_with_ghost_text_while_the_user_speaks(talk):
    talk.session.ingest("Revenue was 50 million.")
    talk.wait()
    talk.session.close()
    kinds = [event.kind for event in talk.events]
    words = len(GOOD.split())
    assert kinds == ["opened", "heard", "formalized", "status", *["insight"] * words, "status", "closed"]
    ghosts = [event.block for event in talk.told("insight")]
    assert all(block.is_speculative and block.insight_status == "computing" for block in ghosts)
    assert [block.insight for block in ghosts][:2] == ["This", "This is"] and not talk.events[-1].block.is_speculative
    assert [event.number for event in talk.events] == list(range(1, len(talk.events) + 1))
    assert [event.was for event in talk.told("status")] == ["stale", "computing"]


def test_an_edit_makes_all_that_depends_on_it_stale_at_once_and_nothing_else():
    talk = Talk().two()
    session = talk.session
    session.next_topic()
    session.ingest("Staff was 40.")
    session.close()
    third = session.open_block(depends_on=[]).id
    session.update_context(third, "Debt was 3.")
    fourth = session.open_block(depends_on=[third]).id
    session.update_context(fourth, "Cash was 1.")
    talk.wait()
    session.update_context(third, "Debt was 90.")
    assert [block.insight_status for block in session.blocks] == ["stable"] * 3 + ["stale"] * 2
    assert talk.wait() == 2 and session[fourth].insight == GOOD
    computed = [event.block.id for event in talk.events[-40:] if event.kind == "status" and event.was == "computing"]
    assert computed[-2:] == [third, fourth]


def test_an_edit_of_the_middle_leaves_what_it_depends_on():
    talk = Talk().two()
    talk.session.update_context("2", "Cost was 25 million.")
    assert [block.insight_status for block in talk.session.blocks] == ["stable", "stale"]
    talk.wait()
    assert talk.advisor.opened[0].told == [] and [len(told) for told in talk.advisor.opened[1].told] == [1]


def test_a_burst_of_edits_is_one_update_after_the_last_of_them():
    talk = Talk().two()
    for amount in range(10, 15):
        talk.session.update_context("1", f"Revenue was {amount} million.")
        assert talk.wait(0.29) == 0
    assert talk.session.due_in == pytest.approx(0.01)
    assert talk.wait(0.02) == 2 and talk.session.due_in is None
    [[edit]] = talk.advisor.opened[0].told
    assert edit.new == "Revenue was 14 million."


def test_an_edit_that_is_taken_back_in_time_costs_nothing():
    talk = Talk().two()
    said = talk.advisor.said
    talk.session.update_context("1", "Revenue was 1 million.")
    assert talk.session.undo() == "1" and talk.session["1"].insight_status == "stale"
    assert talk.wait() == 2 and talk.advisor.said == said
    assert talk.session["1"].insight == GOOD and talk.session["1"].insight_status == "stable"


def test_an_edit_during_the_computation_invalidates_the_running_insight(talk):
    session = talk.session
    session.ingest("Revenue was 50 million.")
    talk.advisor.at_word = lambda number: session.update_context("1", "Revenue was 15 million.") if number == 2 else 0
    assert talk.wait() == 0
    assert session["1"].insight_status == "invalidated" and session["1"].insight == "This is"
    assert talk.advisor.said == 3
    talk.advisor.at_word = lambda number: None
    assert session.poll() == 0
    assert talk.wait() == 1 and session["1"].insight == BAD
    assert talk.statuses() == ["computing", "invalidated", "computing", "stable"]
    assert len(talk.advisor.opened) == 1


def test_what_was_invalidated_and_edited_back_goes_on(talk):
    session = talk.session
    session.ingest("Revenue was 50 million.")

    def edit_and_undo(number):
        if number == 2:
            session.update_context("1", "Revenue was 15 million.")
            session.undo("1")

    talk.advisor.at_word = edit_and_undo
    talk.wait()
    talk.advisor.at_word = lambda number: None
    assert talk.wait() == 1 and session["1"].insight == GOOD and talk.advisor.opened[0].told == []


def test_edits_are_undone_one_by_one_and_what_was_said_since_stays(talk):
    session = talk.session
    session.ingest("Revenue was 50 million.")
    session.update_context("1", "Sales were 50 million.")
    session.update_context("1", "Sales were 60 million.")
    session.ingest("Cost was 20 million.")
    assert session["1"].formalized_context == "Sales were 60 million. Cost was 20 million."
    assert session.undo("1") == "1"
    assert session["1"].formalized_context == "Sales were 50 million. Cost was 20 million."
    session.undo()
    assert session["1"].formalized_context == "Revenue was 50 million. Cost was 20 million."
    assert session.undo() is None and not session.can_undo("1")


def test_a_spoken_correction_can_be_undone():
    talk = Talk().two()
    talk.session.ingest("No, 30 million.")
    assert talk.session["2"].formalized_context == "Cost was 30 million." and talk.session.can_undo("2")
    talk.session.undo()
    assert talk.session["2"].formalized_context == "Cost was 20 million."
    talk.session.ingest("Sorry, 25 million.")
    assert talk.session["2"].formalized_context == "Cost was 25 million."


def test_a_locked_block_refuses_edits_and_nothing_changes():
    talk = Talk().two()
    session = talk.session
    session.update_context("1", "Revenue was 51 million.")
    session.lock("1")
    before, events = session.blocks, len(talk.events)
    for edit in (
        lambda: session.update_context("1", "Revenue was 15 million."),
        lambda: session.undo("1"),
        lambda: session.depend("1", "2"),
    ):
        with pytest.raises(ValueError, match="`block`: '1' is locked"):
            edit()
    assert session.blocks == before and len(talk.events) == events and session.undo() is None
    session.next_topic()
    session.ingest("Correction, fifteen million.")
    assert len(session.blocks) == 3 and ("2", "3") not in session.edges


def test_a_correction_of_a_locked_block_is_a_block_of_its_own():
    talk = Talk().two()
    talk.session.lock("2")
    talk.session.ingest("Correction, fifteen million.")
    assert talk.session["2"].formalized_context == "Cost was 20 million."
    assert talk.session["3"].formalized_context == "15 million." and ("2", "3") in talk.session.edges


def test_a_locked_block_still_follows_from_what_it_depends_on():
    talk = Talk().two()
    talk.session.lock("2")
    talk.session.update_context("1", "Revenue was 1 million.")
    assert talk.session["2"].insight_status == "stale"
    talk.wait()
    assert talk.session["2"].insight == BAD


def test_circles_are_refused():
    talk = Talk().two()
    for child, parent in (("1", "2"), ("1", "1")):
        with pytest.raises(ValueError, match="circle"):
            talk.session.depend(child, parent)
    assert talk.session.edges == [("1", "2")] and talk.events == []
    other = talk.session.open_block(depends_on=[]).id
    talk.session.depend(other, "2")
    with pytest.raises(ValueError, match="circle"):
        talk.session.depend("1", other)


def test_a_block_that_comes_to_depend_on_another_is_computed_anew():
    talk = Talk()
    talk.session.open_block(depends_on=[])
    talk.session.update_context("1", "Revenue was 50 million.")
    talk.session.open_block(depends_on=[])
    talk.session.update_context("2", "Cost was 2 million.")
    talk.wait()
    assert talk.session["2"].insight == BAD
    talk.session.depend("2", "1")
    assert talk.session["2"].insight_status == "stale"
    talk.wait()
    assert talk.session["2"].insight == GOOD and talk.session["1"].insight_status == "stable"


@pytest.mark.parametrize("text", ["", " \n", "a\x00b", "\ud800", "x" * 5000, None, "unsayable"])
def test_an_unusable_text_is_refused_before_anything_changes(text):
    talk = Talk().two()
    before = talk.session.blocks
    with pytest.raises(ValueError, match="`text`|`context`"):
        talk.session.update_context("1", text)
    if text != "unsayable":
        with pytest.raises(ValueError, match="`text`"):
            talk.session.ingest(text)
    assert talk.session.blocks == before and talk.events == [] and talk.session.due_in is None


def test_an_unknown_block_is_refused(talk):
    for act in (
        talk.session.lock,
        talk.session.undo,
        talk.session.advice,
        lambda id: talk.session.update_context(id, "x"),
    ):
        with pytest.raises(ValueError, match="there is no block 'nine'"):
            act("nine")
    with pytest.raises(ValueError, match="there is no block 'nine'"):
        talk.session.open_block(depends_on=["nine"])
    assert talk.session.blocks == []
    with pytest.raises(ValueError, match="`debounce`"):
        CognitiveSession(talk.advisor, debounce=-1)


def test_an_advisor_that_fails_is_told_of_and_begun_anew():
    talk = Talk().two()

    def fail(number):
        raise RuntimeError("out of words")

    talk.advisor.at_word = fail
    talk.session.update_context("2", "Cost was 1 million.")
    with pytest.raises(RuntimeError, match="out of words"):
        talk.wait()
    assert talk.session["2"].insight_status == "invalidated" and talk.told("failed", "2")[0].was == "out of words"
    talk.advisor.at_word = lambda number: None
    talk.session.update_context("2", "Cost was 3 million.")
    assert talk.wait() == 1 and talk.session["2"].insight == GOOD
    assert len(talk.advisor.opened) == 3 and talk.advisor.opened[2].told == []


def test_a_listener_may_call_the_session_and_may_fail(talk, caplog):
    def correct(event):
        if event.kind == "status" and event.block.insight_status == "stable" and event.block.insight == GOOD:
            talk.session.update_context("1", "Revenue was 15 million.")

    unsubscribe = talk.session.subscribe(correct)
    talk.session.subscribe(lambda event: 1 / 0)
    talk.session.ingest("Revenue was 50 million.")
    talk.wait()
    talk.wait()
    assert talk.session["1"].insight == BAD and "A listener failed" in caplog.text
    assert [event.number for event in talk.events] == list(range(1, len(talk.events) + 1))
    unsubscribe()
    talk.session.undo()
    talk.wait()
    assert talk.session["1"].insight == GOOD


def test_what_was_all_taken_back_has_no_insight(talk):
    talk.session.ingest("Revenue was 50 million.")
    talk.wait()
    talk.session.ingest("Scratch that.")
    assert talk.wait() == 0
    assert talk.session["1"].formalized_context == "" and talk.session["1"].insight is None


def test_a_thread_of_its_own_computes_and_an_edit_from_another_one_stops_it(talk):
    landed, speaking, edited = threading.Event(), threading.Event(), threading.Event()
    talk.session.debounce = 0.0
    talk.session.subscribe(
        lambda event: landed.set() if event.block.insight == BAD and event.kind == "status" else None
    )

    def at_word(number):
        if number == 2 and not edited.is_set():
            speaking.set()
            assert edited.wait(30)

    talk.advisor.at_word = at_word
    with talk.session as session:
        session.ingest("Revenue was 50 million.")
        assert speaking.wait(30)
        session.update_context("1", "Revenue was 15 million.")
        assert session["1"].insight_status == "invalidated"
        edited.set()
        assert landed.wait(30)
    assert talk.session["1"].insight_status == "stable" and len(talk.advisor.opened) == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=14), st.integers(0, 5))
def test_whatever_depends_on_whatever_there_is_no_circle_and_all_descendants_go_stale(pairs, changed):
    graph = BlockGraph()
    for number in range(6):
        graph.add(CognitiveBlock(str(number), 0.0, formalized_context="a", insight_status="stable"))
    parents = {str(number): set() for number in range(6)}

    def above(block):
        return parents[block].union(*(above(parent) for parent in parents[block]))

    for child, parent in pairs:
        child, parent = str(child), str(parent)
        if child == parent or child in above(parent):
            with pytest.raises(ValueError, match="circle"):
                graph.depend(child, parent)
        else:
            graph.depend(child, parent)
            parents[child].add(parent)
    for block in graph.blocks:
        graph.set_status(block.id, "computing" if int(block.id) % 2 else "stable")
    affected = graph.change(str(changed), "b")
    for block in graph.blocks:
        hit = block.id == str(changed) or str(changed) in above(block.id)
        void = "invalidated" if int(block.id) % 2 else "stale"
        assert block.insight_status == (void if hit else "computing" if int(block.id) % 2 else "stable")
        assert (block.id in affected) == hit
    place = {block: at for at, block in enumerate(affected)}
    assert all(place[parent] < place[child] for parent, child in graph.edges if parent in place and child in place)
