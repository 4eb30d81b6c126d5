"""The training process: `accelerate launch -m lorawiz.train RUN_DIR`.

It reads the run's frozen spec and dataset, writes its journal, obeys its control folder.
"""
