"""The sections of the report, one module each: from the facts of a run to sentences, tables and charts."""
