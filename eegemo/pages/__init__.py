"""What pages have in common: figures, HTML, the wording of numbers."""
