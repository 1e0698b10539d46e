"""Networks as files of other engines, each checked against the module it was made of."""
