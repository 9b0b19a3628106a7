"""The live runtime: what happens while a model speaks and is spoken to. It imports nothing before it is needed."""
