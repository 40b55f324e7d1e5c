"""A run as other tools want it: MLflow, Optuna."""
