"""The rooms of bench/soak.py: hours of moves, stops, faults and clients, judged by the simulator's truth."""
