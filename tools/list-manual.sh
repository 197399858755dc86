#!/bin/sh
# tools/list-manual.sh: the names of the client's manual pages, for the installation.
cd "$(dirname "$0")/../docs/man" && ls pomerium-cli*.1
