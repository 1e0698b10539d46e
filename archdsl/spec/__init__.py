"""The vocabulary of model documents: one small frozen class for every word. Knows no torch."""
