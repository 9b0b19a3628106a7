"""
Facts that may change: the facts and derived values of a world, names and numbers as values, and the scene, which is
fixed before a text begins.
"""
