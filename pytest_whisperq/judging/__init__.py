"""From bounds and limits to verdicts, and what excuses one."""
