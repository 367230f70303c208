"""The local cloud: AWS on one machine, so that a caption can be seen before there is an account.

cloud.py      starts, stops and finds it: what commands use
server.py     its process: MiniStack, and beside it the functions
functions.py  runs events through function processes when no Docker engine does, one for each event at a time
process.py    such a process, as seen from the cloud
worker.py     the program of such a process: loads the handler as Lambda's runtime would
images.py     copies of image folders, for those processes
"""
