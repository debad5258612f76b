"""A booking desk: `desk.py book|cancel|pay`, with its arguments as JSON in RETOMA_ARGS; what it prints is the result.

A real one keeps each key with what it did for it. This one makes the booking's number of the key, so a second call
with the same key has the same answer.
"""

from __future__ import annotations

import json
import os
import sys

args = json.loads(os.environ["RETOMA_ARGS"])
key = os.environ["RETOMA_IDEMPOTENCY_KEY"]

match sys.argv[1]:
    case "book":
        booking = {"id": f"{args['what'][0].upper()}-{key[:4]}"}
        if "nights" in args:
            booking["price"] = 90 * args["nights"]
        print(json.dumps(booking))
    case "cancel":
        print(json.dumps({"cancelled": args["booking"]}))
    case "pay":
        if args["amount"] > int(os.environ["LIMIT"]):
            sys.exit(f"the card does not cover {args['amount']}")
        print(json.dumps({"paid": args["amount"]}))
