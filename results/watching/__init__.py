"""How far a run is, and where its time went."""
