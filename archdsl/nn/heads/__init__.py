"""Read-write heads. Each is `forward(target, source) -> read`:

target: (batch, target_tokens, target_dim), source: (batch, source_tokens, source_dim),
read: (batch, target_tokens, target_dim).
"""
