"""One night, from the data to the last trial: who trains, who watches, what is said."""
