"""How long everything takes, and when each part of a night has to be over."""
