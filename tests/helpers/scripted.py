"""An advisor for tests: it repeats what it knows, word by word, and waits at a gate if there is one."""

import threading


class ScriptedAdvice:
    def __init__(self, contexts, gate):
        self.contexts, self.gate = dict(contexts), gate

    def tell(self, edits):
        self.contexts |= {edit.block: edit.new for edit in edits}

    def run(self, on_text):
        said = ""
        for word in f"So: {' '.join(self.contexts.values())}".split():
            said = f"{said} {word}".strip()
            if not on_text(said):
                break
            if self.gate is not None:
                self.gate.wait(30)
        return said


class ScriptedAdvisor:
    """With `slow`, each insight stops after its first word until `gate` is set."""

    def __init__(self, slow=False):
        self.gate = threading.Event() if slow else None

    def check(self, context):
        if "unspeakable" in context:
            raise ValueError("`context` cannot be said: leave the word out.")

    def open(self, contexts):
        return ScriptedAdvice(contexts, self.gate)
