"""Paired benchmarks of Gantry beside real RocketMQ brokers. `../run.py` is the command."""
