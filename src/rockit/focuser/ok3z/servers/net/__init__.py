"""What all ports need: listening, and few words in the log for what strangers cause."""
