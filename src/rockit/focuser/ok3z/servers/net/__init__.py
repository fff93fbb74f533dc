"""What all ports need: listening, threads for calls that wait, and few words in the log for what strangers cause."""
