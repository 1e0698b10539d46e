"""The modules networks are made of; constructors take final numbers, never documents."""
