from __future__ import annotations

import os
import subprocess
import sys

from search.record.seeds import configuration_seed, derive


def test_known_values_so_that_a_new_version_repeats_an_old_run():
    assert derive(0) == 96405916
    assert configuration_seed(42, {"layers": 2, "learning_rate": 0.001}) == 867360805


def test_every_argument_counts():
    seeds = [derive(0), derive(1), derive(0, "a"), derive(0, "b"), derive(0, "a", 1), derive(0, "a", 2)]
    seeds += [
        derive(0, {"x": 1}),
        derive(0, {"x": 2}),
        derive(0, {"y": 1}),
        derive(0, {"x": "1"}),
        derive(0, {"x": 1.5}),
    ]
    assert len(set(seeds)) == len(seeds)


def test_the_order_of_keys_does_not_count_that_of_lists_does():
    assert derive(3, {"a": 1, "b": 2}) == derive(3, {"b": 2, "a": 1})
    assert derive(3, [1, 2]) != derive(3, [2, 1])


def test_seeds_fit_where_seeds_are_taken():
    seeds = [derive(5, index) for index in range(2000)]
    assert min(seeds) >= 0
    assert max(seeds) < 2**31
    assert len(set(seeds)) == len(seeds), "2,000 draws of 2**31 meet once in a thousand times"


def test_another_process_with_another_hash_seed_derives_the_same():
    program = (
        "from search.record.seeds import *; print(configuration_seed(7, {'b': 1, 'a': 'x'}), derive(1, 'w', {'q': .5}))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert answers == {f"{configuration_seed(7, {'a': 'x', 'b': 1})} {derive(1, 'w', {'q': 0.5})}\n"}
