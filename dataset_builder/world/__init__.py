"""
Facts that may change: what a world holds, names and numbers for its values, and the scene that is settled before a
text begins.
"""
