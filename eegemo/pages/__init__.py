"""Shared by all pages: figures, HTML, and formatted numbers."""
