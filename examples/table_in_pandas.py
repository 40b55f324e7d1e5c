"""A search from Python, and what its table says: python examples/table_in_pandas.py"""

import nightshift as ns

if __name__ == "__main__":
    run = ns.run(
        "digits",
        max_trials=4,
        seed=1,
        workers=0,
        overrides=[
            "data.limit=400",
            "search.algorithm=random",
            "training.epochs=3",
            "final.candidates=1",
            "final.seeds=1",
        ],
    )
    table = ns.table(run)
    print(table[["rank", "name", "score", "parameters"]].to_string(index=False))
    print("mean score by layers:", table.groupby("layers")["score"].mean().round(3).to_dict())
    print("parameters of the best model:", ns.best_model(run).count_params())
