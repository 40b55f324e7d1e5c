"""What each phase of a run trains, and how long it may: search, retraining, final training, evaluation."""
