"""The packaged gates: run them with ``pytest suites`` or ``pytest --pyargs pytest_whisperq.suites``."""
