"""A result folder: its name, its layout, its records; the one reader and the one writer."""
