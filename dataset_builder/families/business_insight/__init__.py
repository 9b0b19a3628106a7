"""Figures of a company, and what follows from them."""
