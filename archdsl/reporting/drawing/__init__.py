"""Networks drawn and told layer by layer."""
