"""What is measured on a candidate: counts, latency, accuracy; each an evaluator."""
