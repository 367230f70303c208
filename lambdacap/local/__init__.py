"""The local cloud: AWS on one machine, so that a caption can be seen before there is an account.

cloud.py      starts, stops and finds it: what commands use
note.py       where it listens, and which process it is
kept.py       what it keeps in its home, and how that goes
secret.py     what tells the user from everybody else
server.py     its process: MiniStack behind the guard, and beside it the functions
guard.py      who is let through: who knows the secret, and everybody to the deployed APIs
request.py    a request as the guard looks at it
signature.py  AWS's signatures
emulator.py   MiniStack's inside, as far as we know it
checkpoint.py writes its state after each change
functions.py  runs events through function processes when no Docker engine does, one for each event at a time
process.py    such a process, as seen from the cloud
worker.py     the program of such a process: loads the handler as Lambda's runtime would
images.py     copies of image folders, for those processes
"""
