"""each.py COMMAND WORD...: runs a command for each word, with @ replaced by it."""
import subprocess
import sys

for word in sys.argv[2:]:
    subprocess.run(sys.argv[1].replace("@", word), shell=True, check=True)
