"""The command line, one file per group. Commands parse, call and print; they hold no rule of their own."""
