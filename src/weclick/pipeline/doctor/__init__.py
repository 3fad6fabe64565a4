"""What is wrong with this machine: checks of installation, devices, folders and codecs, each a function that yields findings."""
