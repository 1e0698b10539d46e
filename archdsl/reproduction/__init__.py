"""The figures of the paper, and what becomes of them here."""
