"""Likely persons for those whose NIK proves nobody: Splink on what names, dates and families tell."""
