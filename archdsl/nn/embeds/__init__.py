"""How streams start: `forward(source) -> tokens`, (batch, rows * columns, dim).

`source` is images (batch, channels, height, width), or the other stream's tokens.
"""
