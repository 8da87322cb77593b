"""Holds what a module of the same folder makes."""

import app

rows = app.load()
