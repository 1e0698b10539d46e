"""Spaces of models: documents with holes, who fills them, what one differs in from another."""
