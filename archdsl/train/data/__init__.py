"""Data sets behind one interface: `archdsl.train.data.source.open_data`."""
