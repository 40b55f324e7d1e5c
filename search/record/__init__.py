"""What a run consists of, as plain records: trials, configurations, their standing, facts of the machine."""
