"""Calendars and appointments."""
