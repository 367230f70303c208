"""The local cloud: AWS on one machine, so that a caption can be seen before there is an account.

cloud.py      starts, stops and finds it: what commands use
server.py     its process: MiniStack, and beside it the functions
functions.py  runs events through function processes when no Docker engine does
worker.py     a function process: loads the handler as Lambda's runtime would
images.py     copies of image folders, for those processes
"""
