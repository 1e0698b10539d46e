"""Data sets behind one interface: `archdsl.training.data.source.open_data`."""
