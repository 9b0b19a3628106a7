"""The web page: contexts on the left, insights on the right, editable while text is generated."""
